// Package syslog sends messages over syslog: headers (RFC 5424, RFC 3164, none), framing (RFC 6587) and a Writer that keeps
// one connection over TCP, TLS, UDP or a unix socket.
//
// Syslog has no acknowledgment. The Writer counts a message as sent when the peer's system has acknowledged its last byte
// (Linux; elsewhere when the own system took it), and keeps a copy of the latest until the connection's end says whether the
// peer has read them: an orderly end does, a reset does not. So what a stalled, killed or reset peer leaves behind is sent
// again: messages may arrive twice, but not torn and not silently lost on the way. What a peer read and then lost itself no
// sender can know.
//
// Messages must not hold line ends or NUL; package pipe makes none that do, and newline framing replaces them.
package syslog

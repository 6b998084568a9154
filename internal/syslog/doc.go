// Package syslog sends messages over syslog: headers (RFC 5424, RFC 3164, none), framing (RFC 6587) and a Writer that keeps
// one connection over TCP, TLS, UDP or a unix socket.
//
// Syslog has no acknowledgment. The Writer counts a message as sent when the peer's system has acknowledged its last byte
// (Linux; elsewhere when the own system took it), so that what a reset or a stalled peer leaves behind is sent again:
// messages may arrive twice, but not torn and not silently lost on the way. What a peer acknowledged and then lost itself, by
// dying before it read its socket, no sender can know.
//
// Messages must not hold line ends or NUL; package pipe makes none that do, and newline framing replaces them.
package syslog

// Package syslog sends records over syslog. A Sender encodes records as messages with a header (RFC 5424, RFC 3164, none) and
// says which of them need not be sent again after a failure. Its Writer frames messages (RFC 6587) and keeps one connection
// over TCP, TLS, UDP or a unix socket.
//
// Syslog has no acknowledgment. The Writer counts a message as sent when the peer's system has acknowledged its last byte
// (on Linux; elsewhere when the local system took it), and keeps a copy of the latest until the connection's end says whether the
// peer has read them: an orderly end does, a reset does not. So the messages that a stalled, killed or reset peer may not have read
// are sent again: they may arrive twice, but not torn and not silently lost on the way. No sender can know what a peer read and
// then lost itself.
//
// Messages must not hold line ends or NUL; no encoding makes any, and newline framing replaces them.
package syslog

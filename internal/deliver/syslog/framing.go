package syslog

import (
	"bytes"
	"strconv"
)

// Framings of messages in a stream. Source: RFC 6587, 3.4. A datagram is one message and has no frame.
const (
	// OctetCounting writes the length of the message in bytes and a blank before it.
	OctetCounting = "octet_counting"
	// Newline writes a line feed behind it.
	Newline = "newline"
)

// AppendFrame appends msg in its frame. With Newline a line feed, carriage return or NUL in msg becomes a blank, as it would
// start another message.
func AppendFrame(dst, msg []byte, framing string) []byte {
	if framing != Newline {
		dst = strconv.AppendInt(dst, int64(len(msg)), 10)
		dst = append(dst, ' ')
		return append(dst, msg...)
	}
	start := len(dst)
	dst = append(dst, msg...)
	if bytes.IndexByte(msg, '\n') >= 0 || bytes.IndexByte(msg, '\r') >= 0 || bytes.IndexByte(msg, 0) >= 0 {
		for i, c := range dst[start:] {
			if c == '\n' || c == '\r' || c == 0 {
				dst[start+i] = ' '
			}
		}
	}
	return append(dst, '\n')
}

package syslog

import "fmt"

// Limits of SenderConfig.MaxLength, in bytes.
const (
	MinLength = 256
	// minRoom is how much must be left after the header: enough for a scan's ids and codes, and some of its text.
	minRoom = 192
	// MaxLength is far above the limit of any syslog server (rsyslog: 8 KiB unless told otherwise).
	MaxLength = 1 << 20
)

// CheckLength says what is wrong with a longest message on a network with these headers; the error names
// max_message_length.
func CheckLength(n int, network string, header *HeaderConfig) error {
	switch room := n - header.Longest(); {
	case n < MinLength || n > MaxLength:
		return fmt.Errorf("max_message_length: %d is not %d to %d", n, MinLength, MaxLength)
	case network == UDP && n > MaxDatagram:
		return fmt.Errorf("max_message_length: a UDP datagram holds at most %d bytes", MaxDatagram)
	case room < minRoom:
		return fmt.Errorf("max_message_length: %d less a header of up to %d bytes leaves %d for the record; %d is the least",
			n, header.Longest(), room, minRoom)
	}
	return nil
}

package syslog

import (
	"errors"

	"github.com/siempipe/siempipe/internal/encode"
)

// Counts gathers what happened to one batch, so that metrics are added to once a batch. The zero value is ready.
type Counts struct {
	Sent, Repeated   int64 // messages
	Shortened, Split int64 // records

	// Unmapped are records that were sent with their native body, because the schema cannot express them.
	Unmapped int64
	// FirstUnmapped is what the schema misses in the first of them.
	FirstUnmapped error

	// Records that are not sent, by reason.
	TooLong, NotJSON, Invalid, Empty int64
	// FirstDrop is why the first of them is not sent. Records that the user chose not to send do not count.
	FirstDrop error
}

// whole counts the record of which m is the last message sent.
func (n *Counts) whole(m *message) {
	switch m.result {
	case encode.Shortened:
		n.Shortened++
	case encode.Split:
		n.Split++
	}
	if m.unmapped == nil {
		return
	}
	if n.Unmapped++; n.FirstUnmapped == nil {
		n.FirstUnmapped = m.unmapped
	}
}

// drop counts a record that is not sent.
func (n *Counts) drop(err error) {
	switch {
	case errors.Is(err, errInvalid):
		n.Invalid++
		return
	case errors.Is(err, encode.ErrTooLong):
		n.TooLong++
	case errors.Is(err, encode.ErrEmpty):
		n.Empty++
	default:
		n.NotJSON++
	}
	if n.FirstDrop == nil {
		n.FirstDrop = err
	}
}

package pipesend

import (
	"errors"

	"github.com/siempipe/siempipe/internal/encode/pipe"
)

// Counts gathers what happened to one batch, so that metrics are added to once a batch. The zero value is ready.
type Counts struct {
	Sent, Repeated   int64 // messages
	Shortened, Split int64 // records

	// Records that are not sent, by reason.
	TooLong, NotJSON, Invalid, Empty int64
	// FirstDrop is why the first of them is not sent, those aside that the user chose not to send.
	FirstDrop error
}

// whole counts a record that was sent.
func (n *Counts) whole(r pipe.Result) {
	switch r {
	case pipe.Shortened:
		n.Shortened++
	case pipe.Split:
		n.Split++
	}
}

// drop counts a record that is not sent.
func (n *Counts) drop(err error) {
	switch {
	case errors.Is(err, errInvalid):
		n.Invalid++
		return
	case errors.Is(err, pipe.ErrTooLong):
		n.TooLong++
	case errors.Is(err, pipe.ErrEmpty):
		n.Empty++
	default:
		n.NotJSON++
	}
	if n.FirstDrop == nil {
		n.FirstDrop = err
	}
}

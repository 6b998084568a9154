// Package encode is what all encodings share: the Encoder, which turns a record into messages of a limited length, its
// configuration and its errors. Package encodings lists the encodings; each has a folder of its own.
package encode

import (
	"errors"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Encoder turns records into messages. It keeps scratch buffers: use one for each goroutine.
type Encoder interface {
	// Append appends the message for rec to dst, without header or framing, and its end to ends. A split record makes several
	// messages, one after another in dst, with the end of each in ends. No message is longer than budget bytes.
	//
	// known is what is known of rec.Body, so that it need not be scanned again. The zero value is allowed.
	//
	// On error dst and ends come back unchanged. The error is ErrTooLong or ErrEmpty, or says where the body is not a JSON
	// object. In the steady state Append does not allocate, growth of dst and ends aside. rec is not kept.
	Append(dst []byte, ends []int, rec *record.Record, known jsonscan.Known, budget int) ([]byte, []int, Result, error)
}

// Result says what became of a record.
type Result uint8

// Results of Encoder.Append.
const (
	Whole     Result = iota // one message, nothing left out
	Shortened               // one message, values shortened
	Split                   // more than one message
)

// ErrTooLong is returned for a record that does not fit its budget: always with OverflowDrop, and otherwise when not even
// ids and codes fit. The record is not sent.
var ErrTooLong = errors.New("message is too long")

// ErrEmpty is returned for a record that has none of the keys.
var ErrEmpty = errors.New("the record has none of the message's keys")

package encode

import "fmt"

// Settings of Config.Overflow: what becomes of a message that is too long.
const (
	OverflowShorten = "shorten" // shorten its values
	OverflowSplit   = "split"   // send several messages
	OverflowDrop    = "drop"    // do not send the record
)

// Config says how records become messages. An encoding need not take every key; package encodings says which it takes. The
// zero value is each encoding's default.
type Config struct {
	Escape   string // how unsafe characters in values are written; the encoding says which settings there are
	Overflow string // OverflowShorten (default), OverflowSplit or OverflowDrop
	// Fields are written in this order instead of the encoding's own keys. A field that a record does not have is left out.
	Fields []Field
}

// Field is one key that the user chose.
type Field struct {
	Key string // as it is written
	// From is one of the encoding's own keys ("Subject", "Alert ID"), or a place in the record. Empty means Key.
	From string
}

// CheckOverflow says what is wrong with a setting of Config.Overflow; the error names overflow.
func CheckOverflow(overflow string) error {
	switch overflow {
	case "", OverflowShorten, OverflowSplit, OverflowDrop:
		return nil
	}
	return fmt.Errorf("overflow: %q, want one of shorten, split, drop", overflow)
}

package pipe

import (
	"errors"
	"fmt"

	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/pairs"
)

// DefaultMaxLength is the vendor's limit of one message, in bytes with its header. The vendor says characters; there are
// never fewer bytes.
const DefaultMaxLength = 1024

// New returns an encoder of pipe messages for a valid configuration.
func New(c encode.Config) (encode.Encoder, error) {
	if err := Check(c); err != nil {
		return nil, err
	}
	m, _ := escapeMode(c.Escape)
	e, err := pairs.New(syntax(m), Tables, tableOf, c)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Check reports everything that is wrong with c; the messages name escape, overflow and fields.
func Check(c encode.Config) error {
	m, err := escapeMode(c.Escape)
	s := syntax(m)
	return errors.Join(err, pairs.Check(&s, c))
}

// syntax is how pipe messages are written, with buffers of its own.
func syntax(m mode) pairs.Syntax {
	e := &escaper{mode: m}
	return pairs.Syntax{Between: '|', Assign: ':', Escape: e.escape, Cut: m.cut, MaxToken: maxToken, PartKey: KeyPart, CheckKey: checkKey}
}

// escaper escapes values in place. It is for one goroutine.
type escaper struct {
	mode mode
	text []byte // the rest of a value, from its first unsafe byte
}

// maxText is the largest buffer in bytes that an escaper keeps from one value to the next.
const maxText = 256 << 10

// escape escapes the value dst[from:]. Most need no change.
func (e *escaper) escape(dst []byte, from int) []byte {
	unsafe := plainTo(dst, from)
	if unsafe == len(dst) {
		return dst
	}
	if cap(e.text) > maxText {
		e.text = nil
	}
	e.text = append(e.text[:0], dst[unsafe:]...)
	return appendEscaped(dst[:unsafe], e.text, e.mode)
}

// checkKey refuses characters that would make a key ambiguous.
func checkKey(key string) error {
	for _, r := range key {
		if r == ':' || r == '|' || r == '\\' || r == '\uFFFD' || unsafeRune(r) {
			return fmt.Errorf("%q holds %U, which no key may", key, r)
		}
	}
	return nil
}

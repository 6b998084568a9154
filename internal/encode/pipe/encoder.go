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
	return pairs.Syntax{Between: '|', Assign: ':', Values: &values{mode: m}, MaxToken: maxToken, PartKey: KeyPart, CheckKey: checkKey}
}

// values escapes values in place. It is for one goroutine.
type values struct {
	mode mode
	text []byte // the rest of a value, from its first unsafe byte
}

// maxText is the largest buffer in bytes that is kept from one value to the next.
const maxText = 256 << 10

// Escape escapes the value dst[from:]. Most need no change.
func (v *values) Escape(dst []byte, from int) []byte {
	unsafe := plainTo(dst, from)
	if unsafe == len(dst) {
		return dst
	}
	if cap(v.text) > maxText {
		v.text = nil
	}
	v.text = append(v.text[:0], dst[unsafe:]...)
	return appendEscaped(dst[:unsafe], v.text, v.mode)
}

// Cut keeps characters and escapes whole.
func (v *values) Cut(value []byte, n int) int { return v.mode.cut(value, n) }

// checkKey refuses characters that would make a key ambiguous.
func checkKey(key string) error {
	for _, r := range key {
		if r == ':' || r == '|' || r == '\\' || r == '\uFFFD' || unsafeRune(r) {
			return fmt.Errorf("%q holds %U, which no key may", key, r)
		}
	}
	return nil
}

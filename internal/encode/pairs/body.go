package pairs

import (
	"bytes"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// body finds values in the bodies of records, one record after another. The zero value is ready; it is for one goroutine.
type body struct {
	names   names
	shapes  jsonscan.Names
	shape   jsonscan.Shape    // of the body that names were looked up for
	members []jsonscan.Member // of the body
	nested  []jsonscan.Member // of a member of the body, or an array's elements
}

// index prepares paths for use with b.
func (b *body) index(paths []path) {
	for i := range paths {
		p := &paths[i]
		p.wholeID, p.outerID = b.names.id(p.whole), b.names.id(p.outer)
	}
}

// read takes the body of the next record.
func (b *body) read(rec *record.Record, known jsonscan.Known) (err error) {
	shape := known.Shape
	if len(known.Places) > 0 {
		b.members = jsonscan.AppendMembers(b.members[:0], rec.Body, known.Places)
	} else if b.members, _, shape, err = b.shapes.Members(b.members[:0], rec.Body); err != nil {
		return err
	}
	if shape == 0 || shape != b.shape {
		b.names.find(b.members)
		b.shape = shape
	}
	return nil
}

// appendValue appends the value at p, not escaped; false when the record has none. null is none, an empty string is one.
func (b *body) appendValue(dst []byte, p *path, rec *record.Record) ([]byte, bool) {
	if p.fact != noFact {
		before := len(dst)
		dst = appendFact(dst, p.fact, rec)
		return dst, len(dst) > before
	}
	m := b.names.last(b.members, p.wholeID)
	if m == nil && p.inner != "" {
		if outer := b.names.last(b.members, p.outerID); outer != nil && outer.Kind == jsonscan.Object {
			var err error
			if b.nested, _, err = jsonscan.Members(b.nested[:0], outer.Value); err == nil {
				m = last(b.nested, p.inner)
			}
		}
	}
	if m == nil || m.Kind == jsonscan.Null {
		return dst, false
	}
	return b.appendText(dst, m), true
}

// last finds a member of an inner object by name; of several the last.
func last(members []jsonscan.Member, name string) *jsonscan.Member {
	for i := len(members) - 1; i >= 0; i-- {
		if m := &members[i]; m.Name == name || m.NameEscaped && m.Key() == name {
			return m
		}
	}
	return nil
}

// appendText appends a value as text: strings decoded, numbers and booleans as written, an array of these joined by
// commas, and everything else (also an array with a comma in one of its strings, which could forge an element) as JSON.
func (b *body) appendText(dst []byte, m *jsonscan.Member) []byte {
	value := m.Value // m may be in nested, which appendList overwrites
	switch {
	case m.Kind == jsonscan.String && !m.Escaped:
		return append(dst, value[1:len(value)-1]...)
	case m.Kind == jsonscan.String:
		return jsonscan.AppendUnquoted(dst, value[1:len(value)-1])
	case m.Kind == jsonscan.Array:
		before := len(dst)
		var ok bool
		if dst, ok = b.appendList(dst, value); ok {
			return dst
		}
		dst = dst[:before]
	}
	return append(dst, value...)
}

// appendList appends the elements of an array, joined by commas; false when that would not be clear.
func (b *body) appendList(dst []byte, array string) ([]byte, bool) {
	elements, err := jsonscan.Elements(b.nested[:0], array)
	b.nested = elements
	if err != nil {
		return dst, false
	}
	for i := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		from := len(dst)
		switch el := &elements[i]; el.Kind {
		case jsonscan.String:
			dst = jsonscan.AppendUnquoted(dst, el.Value[1:len(el.Value)-1])
			if from == len(dst) && len(elements) == 1 { // [""] is not []
				return dst, false
			}
		case jsonscan.Number, jsonscan.Bool:
			dst = append(dst, el.Value...)
		default:
			return dst, false
		}
		if bytes.IndexByte(dst[from:], ',') >= 0 {
			return dst, false
		}
	}
	return dst, true
}

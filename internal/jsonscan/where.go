package jsonscan

import (
	"math"
	"slices"
)

// Where says where a member stands in a text of less than 4 GiB. It is a Member without pointers to the text, so that many of them
// cost the garbage collector nothing.
type Where struct {
	Start, End           uint32 // of the value
	Kind                 Kind
	Escaped, NameEscaped bool
}

// Where checks s as Members does and appends where its members stand to dst. On error dst is returned as it was given.
func (n *Names) Where(dst []Where, s string) (where []Where, compact bool, shape Shape, err error) {
	sc := scanner{s: s, only: true, where: dst}
	n.changed = n.shape == 0
	_, compact, err = sc.read(nil, n)
	shape = n.shapeOf(len(sc.where)-len(dst), err)
	if err != nil {
		return dst, false, 0, err
	}
	return sc.where, compact, shape, nil
}

// AppendWhere appends to dst where the members of the compact object s stand; nothing when s is 4 GiB or longer.
func AppendWhere(dst []Where, s string, members []Member) []Where {
	if len(s) > math.MaxUint32 {
		return dst
	}
	for i := range members {
		m := &members[i]
		dst = append(dst, Where{uint32(m.Offset), uint32(m.Offset + len(m.Value)), m.Kind, m.Escaped, m.NameEscaped})
	}
	return dst
}

// AppendMembers appends to dst the members of the compact object s. where must hold all of them.
func AppendMembers(dst []Member, s string, where []Where) []Member {
	dst = slices.Grow(dst, len(where))
	before := 0 // the end of the value before; the brace counts as one
	for i := range where {
		w := &where[i]
		start, end := int(w.Start), int(w.End)
		n := len(dst)
		dst = dst[:n+1]
		m := &dst[n]
		m.Name, m.Value, m.Offset = s[before+2:start-2], s[start:end], start
		m.Kind, m.Escaped, m.NameEscaped = w.Kind, w.Escaped, w.NameEscaped
		before = end
	}
	return dst
}

// SetValues replaces the values of members by those of s, an object with the same names in the same order. The names stay
// substrings of the text that they came from, and keep it alive.
func SetValues(members []Member, s string, where []Where) {
	for i := range where {
		w, m := &where[i], &members[i]
		m.Value, m.Offset = s[w.Start:w.End], int(w.Start)
		m.Kind, m.Escaped, m.NameEscaped = w.Kind, w.Escaped, w.NameEscaped
	}
}

// Known is what is known of a compact object whose text is elsewhere: where its members are, and their names. The zero value
// says nothing. Places is often the caller's buffer: it is valid until that is used again.
type Known struct {
	Places []Where
	Shape  Shape
}

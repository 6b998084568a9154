package jsonscan

import (
	"math"
	"slices"
)

// Where is where a member stands in a text of less than 4 GiB, without the text: many of them cost little to keep, since they
// hold no pointers.
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

// AppendWhere appends to dst where all the members of the compact object s stand; nothing when s is longer than that can say.
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

// AppendMembers appends to dst the members of the compact object s, all of which stand there.
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

// SetValues makes of the members of one object those of another that has the same names in the same order: their names stay
// parts of the text before.
func SetValues(members []Member, s string, where []Where) {
	for i := range where {
		w, m := &where[i], &members[i]
		m.Value, m.Offset = s[w.Start:w.End], int(w.Start)
		m.Kind, m.Escaped, m.NameEscaped = w.Kind, w.Escaped, w.NameEscaped
	}
}

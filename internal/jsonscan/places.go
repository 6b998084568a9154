package jsonscan

import "math"

// Place is where a member stands in a compact object: what is left of a Member without the text, for who keeps many
// objects whose members are asked for again. Places of one object belong together.
type Place struct {
	name, at, size       uint32 // bytes of the name; of the value, where it begins and how many
	kind                 Kind
	escaped, nameEscaped bool
}

// AppendPlaces appends the places of all members of the compact object s; none when s is longer than they can say.
func AppendPlaces(dst []Place, s string, members []Member) []Place {
	if len(s) > math.MaxUint32 {
		return dst
	}
	for i := range members {
		m := &members[i]
		dst = append(dst, Place{
			name: uint32(len(m.Name)), at: uint32(m.Offset), size: uint32(len(m.Value)),
			kind: m.Kind, escaped: m.Escaped, nameEscaped: m.NameEscaped,
		})
	}
	return dst
}

// MembersAt appends the members of the object s that AppendPlaces was given, as Members would.
func MembersAt(dst []Member, s string, places []Place) []Member {
	for i := range places {
		p := &places[i]
		at := int(p.at)
		nameEnd := at - len(`":`)
		n := len(dst)
		if n == cap(dst) {
			dst = append(dst, Member{})
		}
		dst = dst[:n+1]
		m := &dst[n]
		m.Name, m.Value, m.Offset = s[nameEnd-int(p.name):nameEnd], s[at:at+int(p.size)], at
		m.Kind, m.Escaped, m.NameEscaped = p.kind, p.escaped, p.nameEscaped
	}
	return dst
}

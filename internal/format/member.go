package format

import (
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// memberScanner goes through the members of an object, or the elements of an array, in JSON that is valid and compact.
type memberScanner struct {
	s string
	i int
}

// scanMembers begins behind the opening bracket of the value at i.
func scanMembers(s string, i int) memberScanner { return memberScanner{s, i + 1} }

// next is the next member's name, as it is written, and where its value stands. An element of an array has no name.
func (m *memberScanner) next(named bool) (name string, start, end int, ok bool) {
	if m.i < len(m.s) && m.s[m.i] == ',' {
		m.i++
	}
	if m.i >= len(m.s) || m.s[m.i] == '}' || m.s[m.i] == ']' {
		return "", 0, 0, false
	}
	if named {
		from := m.i + 1
		m.i = jsonscan.StringEnd(m.s, m.i) + 1 // the colon
		name = m.s[from : m.i-2]
	}
	start = m.i
	m.i = jsonscan.ValueEnd(m.s, start)
	return name, start, m.i, true
}

// path is the text or the number at a path of names with slashes between them, in any case, through compact JSON; an array
// stands for its first element. "" where nothing stands there.
func path(value, names string) string {
next:
	for name := range strings.SplitSeq(names, "/") {
		if strings.HasPrefix(value, "[") {
			elements := scanMembers(value, 0)
			_, start, end, ok := elements.next(false)
			if !ok {
				return ""
			}
			value = value[start:end]
		}
		if !strings.HasPrefix(value, "{") {
			return ""
		}
		members := scanMembers(value, 0)
		for {
			found, start, end, ok := members.next(true)
			if !ok {
				return ""
			}
			if isNamed(found, name) {
				value = value[start:end]
				continue next
			}
		}
	}
	return scalarText(value)
}

// scalarText is what a text says, or a number or a literal as it is written; "" for null, objects and arrays.
func scalarText(value string) string {
	switch {
	case strings.HasPrefix(value, `"`):
		return jsonscan.Unquote(value[1 : len(value)-1])
	case value == "" || value[0] == '{' || value[0] == '[' || value == "null":
		return ""
	}
	return value
}

// isNamed reports whether a name is the one that is wanted, in any case.
func isNamed(name, wanted string) bool {
	return len(name) == len(wanted) && (name == wanted || strings.EqualFold(name, wanted))
}

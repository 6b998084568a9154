package findingstate

import (
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// members appends the members of an object that the siem processor has checked: it only looks for where they end, at a third
// of the cost of checking them again. What it does not understand at once is checked, blanks between members included.
func members(dst []jsonscan.Member, s string) ([]jsonscan.Member, error) {
	if list, ok := plainMembers(dst, s); ok {
		return list, nil
	}
	list, _, err := jsonscan.Members(dst, s)
	return list, err
}

func plainMembers(dst []jsonscan.Member, s string) ([]jsonscan.Member, bool) {
	if !strings.HasPrefix(s, `{"`) {
		return dst, false
	}
	list := dst
	for i := 1; ; {
		if i >= len(s) || s[i] != '"' {
			return dst, false
		}
		nameEnd, ok := jsonscan.SkipString(s, i)
		if !ok || nameEnd+1 >= len(s) || s[nameEnd] != ':' {
			return dst, false
		}
		end, kind, ok := jsonscan.Skip(s, nameEnd+1)
		if !ok || end >= len(s) {
			return dst, false
		}
		m := jsonscan.Member{Name: s[i+1 : nameEnd-1], Value: s[nameEnd+1 : end], Offset: nameEnd + 1, Kind: kind}
		m.NameEscaped = strings.IndexByte(m.Name, '\\') >= 0
		m.Escaped = kind == jsonscan.String && strings.IndexByte(m.Value, '\\') >= 0
		list = append(list, m)
		switch s[end] {
		case ',':
			i = end + 1
		case '}':
			if end+1 != len(s) {
				return dst, false
			}
			return list, true
		default:
			return dst, false
		}
	}
}

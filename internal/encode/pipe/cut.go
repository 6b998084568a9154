package pipe

import "unicode/utf8"

// maxToken is the length in bytes of the longest escape (\u202e) or character.
const maxToken = 6

// cut returns the longest length of v up to n that ends neither inside a character nor inside an escape.
func (m mode) cut(v []byte, n int) int {
	if n >= len(v) {
		return len(v)
	}
	i := 0
	for i < n {
		size := m.token(v[i:])
		if i+size > n {
			break
		}
		i += size
	}
	return i
}

// token is the length of the character or escape at the start of v, an escaped value that is not empty.
func (m mode) token(v []byte) int {
	if v[0] == '\\' && m == modeBackslash {
		n := 2
		if len(v) > 1 {
			switch v[1] {
			case 'x':
				n = 4
			case 'u':
				n = 6
			}
		}
		return min(n, len(v))
	}
	if v[0] < utf8.RuneSelf {
		return 1
	}
	_, size := utf8.DecodeRune(v)
	return size
}

package jsonscan

import (
	"math/bits"
	"strings"
)

// Skip returns the index after the JSON value that starts at i of s, and its kind. It only finds where the value ends:
// brackets are counted, not matched, and text inside is not checked, so that a text which was scanned before can be
// stepped over at several times the speed. In a text that is not JSON it returns some index, or ok false; it never
// reads outside of s.
func Skip(s string, i int) (end int, kind Kind, ok bool) {
	if i < 0 || i >= len(s) {
		return i, None, false
	}
	switch c := s[i]; c {
	case '"':
		end, ok = SkipString(s, i)
		return end, String, ok
	case '{':
		end, ok = SkipOut(s, i+1)
		return end, Object, ok
	case '[':
		end, ok = SkipOut(s, i+1)
		return end, Array, ok
	case 't':
		return skipScalar(s, i), Bool, true
	case 'f':
		return skipScalar(s, i), Bool, true
	case 'n':
		return skipScalar(s, i), Null, true
	default:
		if c == '-' || isDigit(c) {
			return skipScalar(s, i), Number, true
		}
		return i, None, false
	}
}

// SkipBlanks returns the index of the first byte at or after i that is no JSON blank.
func SkipBlanks(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// skipScalar returns the index of the first byte at or after i that cannot stand in a number or a literal.
func skipScalar(s string, i int) int {
	for i < len(s) {
		switch s[i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t', '"', ':', '{', '[':
			return i
		}
		i++
	}
	return i
}

// SkipString returns the index after the closing quote of the string whose opening quote is at i.
func SkipString(s string, i int) (end int, ok bool) {
	start := i
	i++
	for near := i + nearBytes; i < near && i+8 <= len(s); { // most end within a few words
		m := quotes(load(s, i))
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) / 8
		if s[i-1] != '\\' || !escapedQuote(s, start, i) {
			return i + 1, true
		}
		i++
	}
	for ; i <= len(s); i++ {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			break
		}
		i += n
		if s[i-1] != '\\' || !escapedQuote(s, start, i) {
			return i + 1, true
		}
	}
	return len(s), false
}

// escapedQuote reports whether the quote at i, behind a backslash, is part of the string that opens at start.
func escapedQuote(s string, start, i int) bool {
	slashes := 1
	for i-1-slashes > start && s[i-1-slashes] == '\\' {
		slashes++
	}
	return slashes%2 != 0
}

// SkipOut returns the index after the bracket that closes the object or list in which i is, between two values.
func SkipOut(s string, i int) (end int, ok bool) {
	depth := 1
	for i < len(s) {
		if i+8 <= len(s) {
			m := structural(load(s, i))
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) / 8
		}
		switch s[i] {
		case '"':
			if i, ok = SkipString(s, i); !ok {
				return i, false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1, true
			}
		}
		i++
	}
	return i, false
}

// structural has the high bit set in the lowest byte of x that is a quote or a bracket: with 0x20 set, [ ] become { }.
func structural(x uint64) uint64 {
	quote := x ^ lsb*'"'
	folded := x | lsb*0x20
	opening := folded ^ lsb*'{'
	closing := folded ^ lsb*'}'
	return ((quote-lsb)&^quote | (opening-lsb)&^opening | (closing-lsb)&^closing) & msb
}

// quotes has the high bit set in the lowest byte of x that is a quote.
func quotes(x uint64) uint64 {
	x ^= lsb * '"'
	return (x - lsb) &^ x & msb
}

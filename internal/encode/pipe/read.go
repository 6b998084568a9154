package pipe

import (
	"strconv"
	"unicode/utf8"
)

// Pair is one key of a message and its value.
type Pair struct {
	Key, Value string
}

// Unescape undoes EscapeBackslash. An escape that the encoder never writes stays as it is.
func Unescape(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			return string(appendUnescaped(make([]byte, 0, len(s)), s))
		}
	}
	return s
}

func appendUnescaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			dst = append(dst, s[i])
			continue
		}
		i++
		digits := 0
		switch s[i] {
		case '\\', '|':
			dst = append(dst, s[i])
			continue
		case 'r':
			dst = append(dst, '\r')
			continue
		case 'n':
			dst = append(dst, '\n')
			continue
		case 't':
			dst = append(dst, '\t')
			continue
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		}
		if digits > 0 && i+digits < len(s) {
			if r, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32); err == nil {
				dst = utf8.AppendRune(dst, rune(r))
				i += digits
				continue
			}
		}
		dst = append(dst, '\\', s[i])
	}
	return dst
}

// SplitEscaped splits a message written with EscapeBackslash into its pairs: at every pipe without a backslash before it,
// and at the first colon of each pair. It is what a SIEM has to do to read our messages; the vendor's own lines are read
// by package perceptionpoint. A piece without a colon is a pair without a key.
func SplitEscaped(dst []Pair, message string) []Pair {
	for {
		end, colon := 0, -1
		for end < len(message) && message[end] != '|' {
			switch message[end] {
			case '\\':
				end++
			case ':':
				if colon < 0 {
					colon = end
				}
			}
			end++
		}
		end = min(end, len(message))
		if colon < 0 {
			dst = append(dst, Pair{Value: Unescape(message[:end])})
		} else {
			dst = append(dst, Pair{Key: message[:colon], Value: Unescape(message[colon+1 : end])})
		}
		if end == len(message) {
			return dst
		}
		message = message[end+1:]
	}
}

package jsonscan

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s to dst as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD; U+2028 and U+2029 are
// escaped, since JavaScript and some line readers take them for line ends; < > & stay as they are.
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		if i+8 <= len(s) {
			m := special(load(s, i))
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) / 8
		}
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[from:i]...)
			dst = appendEscape(dst, c)
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			dst = append(dst, s[from:i]...)
			dst = append(dst, "\uFFFD"...)
			from = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, s[from:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[r&0xF])
			from = i + size
		}
		i += size
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// Plain reports whether s is ASCII that a JSON string holds as it is, but for quotes, and how many of those it has.
func Plain(s string) (plain bool, quotes int) {
	for i := 0; i < len(s); {
		if i+8 <= len(s) {
			m := special(load(s, i))
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) / 8
		}
		switch c := s[i]; {
		case c == '"':
			quotes++
		case c < 0x20 || c >= utf8.RuneSelf || c == '\\':
			return false, quotes
		}
		i++
	}
	return true, quotes
}

// appendEscape appends the escape of an ASCII byte that a JSON string cannot hold as it is.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xF])
}

// AppendCompact appends raw, a valid JSON text, to dst without the blanks outside of strings.
func AppendCompact(dst []byte, raw string) []byte {
	for i := 0; i < len(raw); {
		switch c := raw[i]; c {
		case ' ', '\n', '\r', '\t':
			i++
		case '"':
			end := StringEnd(raw, i)
			dst = append(dst, raw[i:end]...)
			i = end
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// StringEnd returns the index after the closing quote of the string that opens at i, in valid JSON.
func StringEnd(s string, i int) int {
	for i++; ; i++ {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			return len(s)
		}
		i += n
		slashes := 0
		for s[i-1-slashes] == '\\' { // ends at the opening quote at the latest
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}

// Unquote decodes the text between the quotes of a JSON string that was scanned without error.
func Unquote(inner string) string {
	n := strings.IndexByte(inner, '\\')
	if n < 0 {
		return inner
	}
	return string(AppendUnquoted(make([]byte, 0, len(inner)), inner))
}

// AppendUnquoted appends what Unquote returns to dst.
func AppendUnquoted(dst []byte, inner string) []byte {
	for {
		n := strings.IndexByte(inner, '\\')
		if n < 0 || n+1 >= len(inner) {
			return append(dst, inner...)
		}
		dst = append(dst, inner[:n]...)
		c := inner[n+1]
		inner = inner[n+2:]
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, ok := hex4(inner, 0)
			if !ok {
				return append(dst, inner...)
			}
			inner = inner[4:]
			if r >= 0xD800 && r < 0xDC00 && len(inner) >= 6 {
				low, _ := hex4(inner, 2)
				r = (r-0xD800)<<10 | (low - 0xDC00) + 0x10000
				inner = inner[6:]
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
}

// ValueEnd returns the index after the value that starts at i of s, which is valid JSON without blanks outside of strings.
func ValueEnd(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch s[i] {
		case '"':
			if i = StringEnd(s, i); depth == 0 {
				return i
			}
		case '{', '[':
			depth++
			i++
		case '}', ']':
			if depth == 0 {
				return i // of the number or literal before it
			}
			i++
			if depth--; depth == 0 {
				return i
			}
		case ',':
			if depth == 0 {
				return i
			}
			i++
		default:
			i++
		}
	}
	return i
}

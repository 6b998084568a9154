package jsonscan

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s to dst as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD; U+2028 and U+2029 are
// escaped, since JavaScript and some line readers take them for line ends; < > & stay as they are.
func AppendQuoted(dst []byte, s string) []byte {
	n := len(dst) + 1
	dst = slices.Grow(dst, len(s)+2)[:n+len(s)+1]
	dst[n-1] = '"'
	i := 0
	for ; i+8 <= len(s); i += 8 { // copied and looked at in one go: most texts have nothing to escape
		x := load(s, i)
		if special(x) != 0 {
			return appendEscaped(dst[:n+i], s, i)
		}
		binary.LittleEndian.PutUint64(dst[n+i:], x)
	}
	switch last := len(s) - 8; { // the last bytes once more, with those before them
	case i == len(s):
	case last >= 0:
		if x := load(s, last); special(x) == 0 {
			binary.LittleEndian.PutUint64(dst[n+last:], x)
			i = len(s)
		}
	case last >= -4:
		if x := load4(s, 0) | load4(s, last+4)<<32; special(x) == 0 {
			binary.LittleEndian.PutUint32(dst[n:], uint32(x))
			binary.LittleEndian.PutUint32(dst[n+last+4:], uint32(x>>32))
			i = len(s)
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return appendEscaped(dst[:n+i], s, i)
		}
		dst[n+i] = s[i]
	}
	dst[n+i] = '"'
	return dst
}

// load4 is load for four bytes.
func load4(s string, i int) uint64 {
	s = s[i : i+4]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// appendEscaped goes on with AppendQuoted from i, where something to escape is near.
func appendEscaped(dst []byte, s string, i int) []byte {
	from := i
	for i < len(s) {
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
	end, _ := SkipString(s, i)
	return end
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
	if i >= len(s) {
		return i
	}
	switch s[i] {
	case '"':
		i, _ = SkipString(s, i)
	case '{', '[':
		i, _ = SkipOut(s, i+1)
	default:
		for i < len(s) && s[i] != ',' && s[i] != '}' && s[i] != ']' {
			i++
		}
	}
	return i
}

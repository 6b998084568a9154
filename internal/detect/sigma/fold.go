package sigma

import (
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

const (
	lsb = 0x0101010101010101
	msb = 0x8080808080808080
)

// appendFold appends s with its letters in lower case: the form in which texts are compared where case does not count.
// Letters outside ASCII are mapped one by one (ß stays ß).
func appendFold(dst []byte, s string) []byte {
	i := 0
	for i+8 <= len(s) {
		x := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		if x&msb != 0 {
			break
		}
		fromA := x + (0x80-'A')*lsb // high bit set where the byte is at least A
		afterZ := x + (0x80-'Z'-1)*lsb
		x |= (fromA ^ afterZ) & msb >> 2
		dst = binary.LittleEndian.AppendUint64(dst, x)
		i += 8
	}
	for i < len(s) {
		c := s[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size <= 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += size
	}
	return dst
}

func fold(s string) string { return string(appendFold(nil, s)) }

// equalFold reports whether s folds to folded.
func equalFold(s, folded string) bool {
	if len(s) == len(folded) {
		i := 0
		for ; i < len(s); i++ {
			c := s[i]
			if c >= utf8.RuneSelf {
				break
			}
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			if c != folded[i] {
				return false
			}
		}
		if i == len(s) {
			return true
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return fold(s) == folded
		}
	}
	return false
}

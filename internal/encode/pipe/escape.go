package pipe

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// Settings of Config.Escape. Whatever the setting, a value never holds a control, so it never starts a message or frame.
const (
	// EscapeBackslash writes \\ for a backslash, \| for a pipe, \r \n \t, \xNN for the other ASCII controls and \uNNNN for
	// every other unsafe character. Nothing is lost: Unescape gives the value back.
	EscapeBackslash = "backslash"
	// EscapeReplace writes a blank for a pipe and for every unsafe character, and a slash for a backslash: a reader that
	// knows nothing of escapes and one that does both find the same pairs.
	EscapeReplace = "replace"
	// EscapeNone is the vendor's own format: pipes and backslashes stay, so that a value can forge a pair for a reader who
	// splits at every pipe. Unsafe characters become blanks.
	EscapeNone = "none"
)

type mode uint8

const (
	modeBackslash mode = iota
	modeReplace
	modeNone
)

func escapeMode(s string) (mode, error) {
	switch s {
	case "", EscapeBackslash:
		return modeBackslash, nil
	case EscapeReplace:
		return modeReplace, nil
	case EscapeNone:
		return modeNone, nil
	}
	return 0, fmt.Errorf("escape: %q, want one of backslash, replace, none", s)
}

// unsafeRune reports characters that end a line or a string for some reader (C0 and C1 controls, U+2028, U+2029), or
// show a reader another text than is there (bidirectional controls, byte order mark).
func unsafeRune(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7F && r <= 0x9F: // C0, DEL, C1 with NEL (0x85)
		return true
	case r < 0x61C:
		return false
	case r == 0x61C, r == 0x200E, r == 0x200F: // Arabic letter mark, left-to-right and right-to-left mark
		return true
	case r >= 0x2028 && r <= 0x202E: // line and paragraph separator, embeddings and overrides
		return true
	case r >= 0x2066 && r <= 0x2069: // isolates
		return true
	}
	return r == 0xFEFF
}

// plain are the bytes that need no look: printable ASCII but pipe and backslash.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x7F; c++ {
		t[c] = c != '|' && c != '\\'
	}
	return t
}()

const hexDigits = "0123456789abcdef"

// notPlain has the high bit set in the lowest byte of x that plain says no to; bytes above that one may be marked wrongly.
func notPlain(x uint64) uint64 {
	const (
		lsb = 0x0101010101010101
		msb = 0x8080808080808080
	)
	return (((x ^ lsb*'|') - lsb) | ((x ^ lsb*'\\') - lsb) | (x - lsb*0x20) | (x + lsb) | x) & msb
}

// plainTo returns the index of the first byte from i on that plain says no to, or the length of text.
func plainTo(text []byte, i int) int {
	for ; i+8 <= len(text); i += 8 {
		if m := notPlain(binary.LittleEndian.Uint64(text[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(text) && plain[text[i]]; i++ {
	}
	return i
}

// appendEscaped appends text as a value. Invalid UTF-8 becomes U+FFFD.
func appendEscaped(dst, text []byte, m mode) []byte {
	from := 0
	for i := 0; i < len(text); {
		if len(text)-i >= 8 {
			m := notPlain(binary.LittleEndian.Uint64(text[i:]))
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) / 8
		}
		c := text[i]
		if plain[c] {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
			if !unsafeRune(r) && (r != utf8.RuneError || size > 1) {
				i += size
				continue
			}
		}
		dst = append(dst, text[from:i]...)
		i += size
		from = i
		switch {
		case r == utf8.RuneError:
			dst = append(dst, "\uFFFD"...)
		case m == modeBackslash:
			dst = appendBackslash(dst, r)
		case m == modeNone && (r == '|' || r == '\\'):
			dst = append(dst, c)
		case r == '\\':
			dst = append(dst, '/')
		default:
			dst = append(dst, ' ')
		}
	}
	return append(dst, text[from:]...)
}

func appendBackslash(dst []byte, r rune) []byte {
	switch r {
	case '\\', '|':
		return append(dst, '\\', byte(r))
	case '\r':
		return append(dst, '\\', 'r')
	case '\n':
		return append(dst, '\\', 'n')
	case '\t':
		return append(dst, '\\', 't')
	}
	if r < utf8.RuneSelf {
		return append(dst, '\\', 'x', hexDigits[r>>4], hexDigits[r&0xF])
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&0xF], hexDigits[r>>8&0xF], hexDigits[r>>4&0xF], hexDigits[r&0xF])
}

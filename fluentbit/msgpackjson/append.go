package msgpackjson

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// TypeEventTime is the type of Fluent Bit's time extension: seconds and nanoseconds, 32 bits each.
// Source: https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1#eventtime-ext-format
const TypeEventTime = 0

// Writer appends values as JSON text. The zero value is ready; it is for one goroutine.
//
// Strings are taken over byte for byte but for what JSON must escape, so that bytes that are not UTF-8 are still there
// for whoever reads the text to find. Binary and extensions become base64, an EventTime an RFC 3339 time. A name that is
// no string becomes the text of its value. A float has a point or an exponent, so that it stays one. Repeated names stay.
//
// An *Error that is Framed is about what JSON cannot say: NaN, infinities, a map or an array as a name, nesting deeper
// than jsonscan.MaxDepth. The buffer then holds half a text.
type Writer struct {
	// Doubtful says that something was written that jsonscan may not take as a part of an object: bytes that are no UTF-8, or
	// the deepest nesting. Whoever wants to know sets it to false before.
	Doubtful bool
}

// Append is Writer.Append of a new Writer.
func Append(dst, b []byte, i int) (out []byte, end int, err error) {
	var w Writer
	return w.Append(dst, b, i)
}

// Append appends the value at i to dst and returns the index after it.
func (w *Writer) Append(dst, b []byte, i int) (out []byte, end int, err error) {
	return w.value(dst, b, i, 1)
}

func (w *Writer) value(dst, b []byte, i, depth int) ([]byte, int, error) {
	if out, end := AppendPlain(dst, b, i); end > 0 {
		return out, end, nil
	}
	t, err := Read(b, i)
	if err != nil {
		return dst, i, err
	}
	return w.token(dst, b, i, t, depth)
}

// AppendToken is Append for the token t that was read at i.
func (w *Writer) AppendToken(dst, b []byte, i int, t Token) (out []byte, end int, err error) {
	return w.token(dst, b, i, t, 1)
}

func (w *Writer) token(dst, b []byte, i int, t Token, depth int) ([]byte, int, error) {
	var err error
	switch t.Kind {
	case String:
		return w.AppendQuoted(dst, b, t), t.Next, nil
	case Map, Array:
		if depth >= jsonscan.MaxDepth {
			if w.Doubtful = true; depth > jsonscan.MaxDepth {
				return dst, i, &Error{Offset: i, Msg: "nested deeper than " + strconv.Itoa(jsonscan.MaxDepth), Framed: true}
			}
		}
		if t.Kind == Map {
			return w.object(dst, b, t, depth)
		}
		dst = append(dst, '[')
		i = t.Next
		for n := range t.Len {
			if n > 0 {
				dst = append(dst, ',')
			}
			if dst, i, err = w.value(dst, b, i, depth+1); err != nil {
				return dst, i, err
			}
		}
		return append(dst, ']'), i, nil
	}
	dst, err = appendScalar(dst, b, i, t)
	return dst, t.Next, err
}

func (w *Writer) object(dst, b []byte, t Token, depth int) ([]byte, int, error) {
	dst = append(dst, '{')
	i := t.Next
	for n := range t.Len {
		if n > 0 {
			dst = append(dst, ',')
		}
		name, err := Read(b, i)
		if err != nil {
			return dst, i, err
		}
		if dst, i, err = w.AppendName(dst, b, i, name); err != nil {
			return dst, i, err
		}
		dst = append(dst, ':')
		if dst, i, err = w.value(dst, b, i, depth+1); err != nil {
			return dst, i, err
		}
	}
	return append(dst, '}'), i, nil
}

// AppendName appends the token t, read at i, as the name of a member, in quotes.
func (w *Writer) AppendName(dst, b []byte, i int, t Token) (out []byte, end int, err error) {
	switch t.Kind {
	case String, Binary: // a name in bytes is a name whose writer knew one type only
		return w.AppendQuoted(dst, b, t), t.Next, nil
	case Map, Array: // as text in quotes it would double with each level of names in names
		return dst, i, &Error{Offset: i, Msg: "JSON has no name for " + t.Kind.String(), Framed: true}
	case Ext:
		dst, err = appendScalar(dst, b, i, t)
		return dst, t.Next, err
	}
	dst = append(dst, '"')
	dst, err = appendScalar(dst, b, i, t)
	return append(dst, '"'), t.Next, err
}

// appendScalar appends the token of i, which is neither String, Array nor Map.
func appendScalar(dst, b []byte, i int, t Token) ([]byte, error) {
	switch t.Kind {
	case Nil:
		return append(dst, "null"...), nil
	case Bool:
		return strconv.AppendBool(dst, t.Num == 1), nil
	case Uint:
		return strconv.AppendUint(dst, t.Num, 10), nil
	case Int:
		return strconv.AppendInt(dst, int64(t.Num), 10), nil
	case Float:
		return appendFloat(dst, i, t)
	}
	payload := b[t.Data:t.Next]
	dst = append(dst, '"')
	if at, ok := EventTime(b, t); ok {
		dst = at.AppendFormat(dst, time.RFC3339Nano)
	} else {
		dst = base64.StdEncoding.AppendEncode(dst, payload)
	}
	return append(dst, '"'), nil
}

// EventTime is the time that an Ext token of type TypeEventTime holds.
func EventTime(b []byte, t Token) (at time.Time, ok bool) {
	if t.Kind != Ext || t.Type != TypeEventTime || t.Len != 8 {
		return at, false
	}
	sec, ns := binary.BigEndian.Uint32(b[t.Data:]), binary.BigEndian.Uint32(b[t.Data+4:])
	return time.Unix(int64(sec), int64(ns)).UTC(), true
}

// Float is the number of a Float token; ok is false for NaN and the infinities.
func (t Token) Float() (f float64, ok bool) {
	f = math.Float64frombits(t.Num)
	if t.Len == 4 {
		f = float64(math.Float32frombits(uint32(t.Num)))
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}

// appendFloat appends the shortest text that reads as the same float, in the form of encoding/json, with ".0" behind an
// integer.
func appendFloat(dst []byte, i int, t Token) ([]byte, error) {
	f, ok := t.Float()
	if !ok {
		return dst, &Error{Offset: i, Msg: "JSON has no number for " + strconv.FormatFloat(f, 'g', -1, 64), Framed: true}
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, 8*t.Len), nil
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 8*t.Len)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst, nil
		}
	}
	return append(dst, ".0"...), nil
}

const hexDigits = "0123456789abcdef"

const (
	lsb = 0x0101010101010101
	msb = 0x8080808080808080
)

// odd has a high bit set when a byte of x is a quote, a backslash, a control or outside ASCII; which byte it is the bits do
// not tell (borrows run upwards).
func odd(x uint64) uint64 { return ((x ^ lsb*'"') - lsb) | ((x ^ lsb*'\\') - lsb) | (x - lsb*0x20) | x }

// special has the high bit set in the lowest byte of x that is a quote, a backslash or a control. Bytes above that lowest
// one may be marked wrongly (borrows run upwards); the lowest is exact.
func special(x uint64) uint64 {
	quote := x ^ lsb*'"'
	slash := x ^ lsb*'\\'
	return ((quote-lsb)&^quote | (slash-lsb)&^slash | (x-lsb*0x20)&^x) & msb
}

// AppendQuoted appends the bytes of a String or Binary token as a JSON string with its quotes, escaping quotes, backslashes
// and controls alone.
func (w *Writer) AppendQuoted(dst, b []byte, t Token) []byte {
	text := b[t.Data:t.Next]
	if !isPlain(b, t.Data, t.Next) {
		if !utf8.Valid(text) {
			w.Doubtful = true
		}
		return appendEscaped(dst, text)
	}
	n := len(dst)
	dst = slices.Grow(dst, len(text)+2)[:n+len(text)+2]
	dst[n] = '"'
	copy(dst[n+1:], text)
	dst[len(dst)-1] = '"'
	return dst
}

// AppendPlain is Append for a string of ASCII that needs no escapes and that is written in one of its short forms, which most
// values are. Where something else stands at i, end is 0.
func AppendPlain(dst, b []byte, i int) (out []byte, end int) {
	if len(b)-i < 3 {
		return dst, 0
	}
	size := 0
	switch c := b[i]; {
	case c >= 0xa0 && c <= 0xbf:
		i, size = i+1, int(c&0x1f)
	case c == 0xd9:
		i, size = i+2, int(b[i+1])
	case c == 0xda:
		i, size = i+3, int(binary.BigEndian.Uint16(b[i+1:]))
	default:
		return dst, 0
	}
	if size > len(b)-i {
		return dst, 0
	}
	n := len(dst)
	if cap(dst)-n < size+len(`""`)+8 {
		dst = slices.Grow(dst, size+len(`""`)+8)
	}
	to := dst[n : n+size+len(`""`)+8]
	to[0] = '"'
	if to = to[1:]; size <= 64 && len(b)-i >= size+8 { // looked at on the way, eight bytes at once, and some behind the end
		from, found, at := b[i:i+size+8], uint64(0), 0
		for ; at+8 <= size; at += 8 {
			x := binary.LittleEndian.Uint64(from[at:])
			found |= odd(x)
			binary.LittleEndian.PutUint64(to[at:], x)
		}
		if behind := 8 * uint(at+8-size); behind < 64 {
			x := binary.LittleEndian.Uint64(from[at:])
			found |= odd(x<<behind | lsb*' '>>(64-behind))
			binary.LittleEndian.PutUint64(to[at:], x)
		}
		if found&msb != 0 {
			return dst[:n], 0
		}
	} else {
		if !isPlain(b, i, i+size) {
			return dst[:n], 0
		}
		copy(to, b[i:i+size])
	}
	to[size] = '"'
	return dst[:n+size+len(`""`)], i + size
}

// isPlain reports whether the bytes of b from i to end are ASCII that a JSON string holds as it is.
func isPlain(b []byte, i, end int) bool {
	for ; i+32 <= end; i += 32 {
		part := b[i : i+32]
		if (odd(binary.LittleEndian.Uint64(part))|odd(binary.LittleEndian.Uint64(part[8:]))|
			odd(binary.LittleEndian.Uint64(part[16:]))|odd(binary.LittleEndian.Uint64(part[24:])))&msb != 0 {
			return false
		}
	}
	for ; i+8 <= end; i += 8 {
		if odd(binary.LittleEndian.Uint64(b[i:]))&msb != 0 {
			return false
		}
	}
	if i < end && i+8 <= len(b) { // the last few bytes, and blanks for what stands behind them
		behind := 8 * uint(i+8-end)
		return odd(binary.LittleEndian.Uint64(b[i:])<<behind|lsb*' '>>(64-behind))&msb == 0
	}
	for ; i < end; i++ {
		if c := b[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendEscaped appends text as a JSON string with its quotes.
func appendEscaped(dst, text []byte) []byte {
	dst = append(dst, '"')
	for from := 0; from < len(text); {
		i := firstSpecial(text, from)
		dst = append(dst, text[from:i]...)
		if i == len(text) {
			break
		}
		dst = appendEscape(dst, text[i])
		from = i + 1
	}
	return append(dst, '"')
}

// firstSpecial returns the index of the first byte from i on that must be escaped, or the length of text.
func firstSpecial(text []byte, i int) int {
	for ; i+8 <= len(text); i += 8 {
		if m := special(binary.LittleEndian.Uint64(text[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	if last := len(text) - 8; last >= 0 && i > last { // the last bytes once more with those before them, which are plain
		if special(binary.LittleEndian.Uint64(text[last:])) == 0 {
			return len(text)
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < 0x20 || c == '"' || c == '\\' {
			return i
		}
	}
	return len(text)
}

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

package msgpackjson

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"time"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// TypeEventTime is the type of Fluent Bit's time extension: seconds and nanoseconds, 32 bits each.
// Source: https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1#eventtime-ext-format
const TypeEventTime = 0

// Append appends the value at i as JSON text to dst and returns the index after it.
//
// Strings are taken over byte for byte but for what JSON must escape, so that bytes that are not UTF-8 are still there
// for whoever reads the text to find. Binary and extensions become base64, an EventTime an RFC 3339 time. A name that is
// no string becomes the text of its value. A float has a point or an exponent, so that it stays one. Repeated names stay.
//
// An *Error that is Framed is about what JSON cannot say: NaN, infinities, a map or an array as a name, nesting deeper
// than jsonscan.MaxDepth. dst then holds half a text.
func Append(dst, b []byte, i int) (out []byte, end int, err error) { return appendValue(dst, b, i, 1) }

func appendValue(dst, b []byte, i, depth int) ([]byte, int, error) {
	t, err := Read(b, i)
	if err != nil {
		return dst, i, err
	}
	return appendToken(dst, b, i, t, depth)
}

// AppendToken is Append for the token t that was read at i.
func AppendToken(dst, b []byte, i int, t Token) (out []byte, end int, err error) {
	return appendToken(dst, b, i, t, 1)
}

func appendToken(dst, b []byte, i int, t Token, depth int) ([]byte, int, error) {
	var err error
	switch t.Kind {
	case String:
		return AppendQuoted(dst, b[t.Data:t.Next]), t.Next, nil
	case Map, Array:
		if depth > jsonscan.MaxDepth {
			return dst, i, &Error{Offset: i, Msg: "nested deeper than " + strconv.Itoa(jsonscan.MaxDepth), Framed: true}
		}
		if t.Kind == Map {
			return appendMap(dst, b, t, depth)
		}
		dst = append(dst, '[')
		i = t.Next
		for n := range t.Len {
			if n > 0 {
				dst = append(dst, ',')
			}
			if dst, i, err = appendValue(dst, b, i, depth+1); err != nil {
				return dst, i, err
			}
		}
		return append(dst, ']'), i, nil
	}
	dst, err = appendScalar(dst, b, i, t)
	return dst, t.Next, err
}

func appendMap(dst, b []byte, t Token, depth int) ([]byte, int, error) {
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
		if dst, i, err = AppendName(dst, b, i, name); err != nil {
			return dst, i, err
		}
		dst = append(dst, ':')
		if dst, i, err = appendValue(dst, b, i, depth+1); err != nil {
			return dst, i, err
		}
	}
	return append(dst, '}'), i, nil
}

// AppendName appends the token t, read at i, as the name of a member, in quotes.
func AppendName(dst, b []byte, i int, t Token) (out []byte, end int, err error) {
	switch t.Kind {
	case String, Binary: // a name in bytes is a name whose writer knew one type only
		return AppendQuoted(dst, b[t.Data:t.Next]), t.Next, nil
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

// special has the high bit set in the lowest byte of x that is a quote, a backslash or a control. Bytes above that lowest
// one may be marked wrongly (borrows run upwards); the lowest is exact.
func special(x uint64) uint64 {
	quote := x ^ lsb*'"'
	slash := x ^ lsb*'\\'
	return ((quote-lsb)&^quote | (slash-lsb)&^slash | (x-lsb*0x20)&^x) & msb
}

// AppendQuoted appends text as a JSON string with its quotes, escaping quotes, backslashes and controls alone.
func AppendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	if i := firstSpecial(text, 0); i == len(text) { // nearly always
		dst = append(dst, text...)
		return append(dst, '"')
	}
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

// Package msgpackjson turns MessagePack into JSON text in one pass, without building values: no maps, no reflection, and
// no allocation but the growth of the caller's buffer.
//
// Everything it reads is hostile. Depth is bounded, no length is believed before the bytes are there, and work is linear
// in the input. Format: https://github.com/msgpack/msgpack/blob/master/spec.md
package msgpackjson

import (
	"encoding/binary"
	"fmt"
)

// Kind is the type of a value.
type Kind uint8

// Kinds of a value. The zero value is no value at all.
const (
	None Kind = iota
	Nil
	Bool
	Int   // a signed integer, in Num as two's complement
	Uint  // an unsigned integer
	Float // in Num as the bits of a float64, or of a float32 when Len is 4
	String
	Binary
	Array
	Map
	Ext
)

var kindNames = [...]string{"nothing", "nil", "a boolean", "an integer", "an integer", "a float", "a string", "binary", "an array", "a map", "an extension"}

// String names the kind for an error.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// Token is one value, or the head of an array or map whose elements follow.
type Token struct {
	Kind Kind
	Type int8   // of an Ext
	Data int    // where the payload of String, Binary and Ext starts
	Len  int    // bytes of that payload; elements of an Array, pairs of a Map
	Next int    // index after the token: behind the payload, or at the first element
	Num  uint64 // Bool, Int, Uint, Float
}

// Error says what is wrong with MessagePack data and where.
type Error struct {
	Offset int // in bytes from the start of the data
	Msg    string
	// Framed says that the value's end is known in spite of it: it is well-formed and JSON cannot say it.
	Framed bool
}

func (e *Error) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Msg) }

func broken(offset int, msg string) error { return &Error{Offset: offset, Msg: msg} }

// Read reads the token at i. It fails where the data ends too early or a byte begins no value.
func Read(b []byte, i int) (t Token, err error) {
	if i >= len(b) {
		return t, broken(i, "data ends where a value is due")
	}
	// What events are mostly made of comes first: short names, strings, and the wide forms that Fluent Bit writes.
	n := 0
	switch c := b[i]; {
	case c >= 0xa0 && c <= 0xbf:
		i, n = i+1, int(c&0x1f)
	case c == 0xd9 && i+1 < len(b):
		i, n = i+2, int(b[i+1])
	case c == 0xda && i+2 < len(b):
		i, n = i+3, int(binary.BigEndian.Uint16(b[i+1:]))
	case c <= 0x7f:
		return Token{Kind: Uint, Num: uint64(c), Next: i + 1}, nil
	case c <= 0x8f:
		return Token{Kind: Map, Len: int(c & 0x0f), Next: i + 1}, nil
	case c <= 0x9f:
		return Token{Kind: Array, Len: int(c & 0x0f), Next: i + 1}, nil
	case c >= 0xe0:
		return Token{Kind: Int, Num: uint64(int64(int8(c))), Next: i + 1}, nil
	default:
		return readWide(b, i)
	}
	if n > len(b)-i {
		return t, ends(b, i, String, n)
	}
	return Token{Kind: String, Data: i, Len: n, Next: i + n}, nil
}

// readWide reads a token whose first byte, from 0xc0 to 0xdf, says what follows.
func readWide(b []byte, i int) (t Token, err error) {
	c := b[i]
	i++
	f := formats[c-0xc0]
	if f.kind == None {
		return t, broken(i-1, fmt.Sprintf("byte 0x%02x begins no value", c))
	}
	var n uint64
	if f.bytes > 0 {
		if len(b)-i < int(f.bytes) {
			return t, broken(i-1, "data ends inside "+f.kind.String())
		}
		switch f.bytes {
		case 1:
			n = uint64(b[i])
		case 2:
			n = uint64(binary.BigEndian.Uint16(b[i:]))
		case 4:
			n = uint64(binary.BigEndian.Uint32(b[i:]))
		default:
			n = binary.BigEndian.Uint64(b[i:])
		}
		i += int(f.bytes)
	}
	switch f.kind {
	case Nil:
		return Token{Kind: Nil, Next: i}, nil
	case Bool:
		return Token{Kind: Bool, Num: uint64(c & 1), Next: i}, nil
	case Uint:
		return Token{Kind: Uint, Num: n, Next: i}, nil
	case Float:
		return Token{Kind: Float, Num: n, Len: int(f.bytes), Next: i}, nil
	case Int:
		shift := 64 - 8*uint(f.bytes)
		return Token{Kind: Int, Num: uint64(int64(n<<shift) >> shift), Next: i}, nil
	case String, Binary:
		return payload(b, i, f.kind, int(n))
	case Ext:
		if f.bytes == 0 {
			n = uint64(f.fixed)
		}
		if i >= len(b) {
			return t, broken(i, "data ends inside an extension")
		}
		t, err = payload(b, i+1, Ext, int(n))
		t.Type = int8(b[i])
		return t, err
	default: // Array, Map
		return Token{Kind: f.kind, Len: int(n), Next: i}, nil
	}
}

// payload is the token of n bytes at i.
func payload(b []byte, i int, kind Kind, n int) (Token, error) {
	if n < 0 || n > len(b)-i { // n < 0: 32 bits of length where an int has no more
		return Token{}, ends(b, i, kind, n)
	}
	return Token{Kind: kind, Data: i, Len: n, Next: i + n}, nil
}

// ends is the error for n bytes at i that are not all there.
func ends(b []byte, i int, kind Kind, n int) error {
	return broken(i, fmt.Sprintf("data ends %d bytes before %s of %d bytes does", n-(len(b)-i), kind, n))
}

// format is what follows a first byte from 0xc0 to 0xdf.
type format struct {
	kind  Kind
	bytes uint8 // of the number or length that follows
	fixed uint8 // length of a fixext
}

var formats = [32]format{
	{kind: Nil}, {kind: None}, {kind: Bool}, {kind: Bool}, // c0 nil, c1 never used, c2 false, c3 true
	{kind: Binary, bytes: 1}, {kind: Binary, bytes: 2}, {kind: Binary, bytes: 4}, // c4 to c6
	{kind: Ext, bytes: 1}, {kind: Ext, bytes: 2}, {kind: Ext, bytes: 4}, // c7 to c9
	{kind: Float, bytes: 4}, {kind: Float, bytes: 8}, // ca, cb
	{kind: Uint, bytes: 1}, {kind: Uint, bytes: 2}, {kind: Uint, bytes: 4}, {kind: Uint, bytes: 8}, // cc to cf
	{kind: Int, bytes: 1}, {kind: Int, bytes: 2}, {kind: Int, bytes: 4}, {kind: Int, bytes: 8}, // d0 to d3
	{kind: Ext, fixed: 1}, {kind: Ext, fixed: 2}, {kind: Ext, fixed: 4}, {kind: Ext, fixed: 8}, {kind: Ext, fixed: 16}, // d4 to d8
	{kind: String, bytes: 1}, {kind: String, bytes: 2}, {kind: String, bytes: 4}, // d9 to db
	{kind: Array, bytes: 2}, {kind: Array, bytes: 4}, // dc, dd
	{kind: Map, bytes: 2}, {kind: Map, bytes: 4}, // de, df
}

// Skip returns the index after the value at i, with everything in it. It needs no stack, however deep the value nests.
func Skip(b []byte, i int) (end int, err error) {
	for left := uint64(1); left > 0; left-- {
		t, err := Read(b, i)
		if err != nil {
			return i, err
		}
		switch t.Kind {
		case Array:
			left += uint64(t.Len)
		case Map:
			left += 2 * uint64(t.Len)
		}
		i = t.Next
		if left-1 > uint64(len(b)-i) { // every value has at least one byte
			return i, broken(i, fmt.Sprintf("data ends before %s of %d does", t.Kind, t.Len))
		}
	}
	return i, nil
}

package msgpackjson

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/ugorji/go/codec"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/test/msgpack"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return b
}

// TestAppend holds each form of the format's description to its JSON.
func TestAppend(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nil", "c0", `null`},
		{"false", "c2", `false`},
		{"true", "c3", `true`},
		{"positive fixint", "7f", `127`},
		{"negative fixint", "e0", `-32`},
		{"minus one", "ff", `-1`},
		{"uint8", "ccff", `255`},
		{"uint16", "cdffff", `65535`},
		{"uint32", "ceffffffff", `4294967295`},
		{"uint64", "cfffffffffffffffff", `18446744073709551615`},
		{"int8", "d080", `-128`},
		{"int16", "d18000", `-32768`},
		{"int32", "d280000000", `-2147483648`},
		{"int64", "d38000000000000000", `-9223372036854775808`},
		{"int64 positive", "d30000000000000001", `1`},
		{"float32", "ca3fc00000", `1.5`},
		{"float32 keeps its own shortest text", "ca3dcccccd", `0.1`},
		{"float64", "cb3ff8000000000000", `1.5`},
		{"a float stays a float", "cb4000000000000000", `2.0`},
		{"negative zero", "cb8000000000000000", `-0.0`},
		{"large float", "cb7e37e43c8800759c", `1e+300`},
		{"small float", "cb3e45798ee2308c3a", `1e-08`},
		{"fixstr", "a161", `"a"`},
		{"str8", "d90161", `"a"`},
		{"str16", "da000161", `"a"`},
		{"str32", "db0000000161", `"a"`},
		{"escapes", "ac 22 5c 0a 0d 09 08 0c 00 1f 7f 2f 3c", `"\"\\\n\r\t\b\f\u0000\u001f` + "\x7f" + `/<"`},
		{"unicode as it is", "a6 c3a9 e29883 41", `"é☃A"`},
		{"line separator as it is", "a3 e280a8", `"` + "\u2028" + `"`},
		{"invalid UTF-8 as it is", "a4 fffe c328", "\"\xff\xfe\xc3(\""},
		{"a quote behind eight bytes", "aa 6161616161616161 22 61", `"aaaaaaaa\"a"`},
		{"bin8", "c403010203", `"AQID"`},
		{"bin16", "c50001ff", `"/w=="`},
		{"bin32", "c600000000", `""`},
		{"fixext", "d405aa", `"qg=="`},
		{"ext8", "c70205aabb", `"qrs="`},
		{"event time", "d700 6553f100 075bcd15", `"2023-11-14T22:13:20.123456789Z"`},
		{"empty array", "90", `[]`},
		{"array", "93 01 a161 c0", `[1,"a",null]`},
		{"array16", "dc000101", `[1]`},
		{"array32", "dd0000000101", `[1]`},
		{"empty map", "80", `{}`},
		{"map", "82 a161 01 a162 81 a163 90", `{"a":1,"b":{"c":[]}}`},
		{"map16", "de0001 a161 c2", `{"a":false}`},
		{"map32", "df00000000", `{}`},
		{"repeated names stay", "82 a161 01 a161 02", `{"a":1,"a":2}`},
		{"odd names", "86 01 c0 c0 c0 c3 c0 ff c0 c402 6869 c0 cb3ff8000000000000 c0", `{"1":null,"null":null,"true":null,"-1":null,"hi":null,"1.5":null}`},
		{"a time as a name", "81 d700 6553f100 00000000 01", `{"2023-11-14T22:13:20Z":1}`},
		{"names are escaped", "81 a3 22 5c 0a 01", `{"\"\\\n":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := unhex(t, c.in)
			got, end, err := Append([]byte("before"), in, 0)
			require.NoError(t, err)
			assert.Equal(t, "before"+c.want, string(got))
			assert.Equal(t, len(in), end)
			end, err = Skip(in, 0)
			require.NoError(t, err)
			assert.Equal(t, len(in), end)
			for n := range len(in) { // cut anywhere, it is an error, never a panic or a value
				_, _, err := Append(nil, in[:n], 0)
				assert.Error(t, err, "cut to %d bytes", n)
				_, err = Skip(in[:n], 0)
				assert.Error(t, err, "cut to %d bytes", n)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		framed         bool
	}{
		{"nothing", "", "byte 0: data ends where a value is due", false},
		{"never used", "c1", "byte 0: byte 0xc1 begins no value", false},
		{"never used inside", "92 01 c1", "byte 2: byte 0xc1 begins no value", false},
		{"4 GiB promised", "dbffffffff 61", "byte 5: data ends 4294967294 bytes before a string of 4294967295 bytes does", false},
		{"4 billion pairs promised", "dfffffffff 01", "data ends", false},
		{"NaN", "cb7ff8000000000000", "byte 0: JSON has no number for NaN", true},
		{"infinity in a map", "81 a161 ca7f800000", "byte 3: JSON has no number for +Inf", true},
		{"a map as a name", "81 80 01", "byte 1: JSON has no name for a map", true},
		{"an array as a name", "81 90 01", "byte 1: JSON has no name for an array", true},
		{"65 arrays", strings.Repeat("91", 65) + "c0", "byte 64: nested deeper than 64", true},
	} {
		in := unhex(t, c.in)
		_, _, err := Append(nil, in, 0)
		var e *Error
		require.ErrorAs(t, err, &e, c.name)
		assert.ErrorContains(t, err, c.want, c.name)
		assert.Equal(t, c.framed, e.Framed, c.name)
		_, err = Skip(in, 0)
		assert.Equal(t, c.framed, err == nil, c.name)
	}
}

func TestDepth(t *testing.T) {
	in := unhex(t, strings.Repeat("91", jsonscan.MaxDepth)+"c0")
	got, _, err := Append(nil, in, 0)
	require.NoError(t, err)
	assert.NoError(t, jsonscan.Valid(string(got)), "what one takes the other takes")

	deep := append(bytes.Repeat([]byte{0x91}, 1_000_000), 0xc0)
	end, err := Skip(deep, 0)
	require.NoError(t, err)
	assert.Equal(t, len(deep), end)
}

func TestEventTime(t *testing.T) {
	in := unhex(t, "d700 6553f100 075bcd15")
	token, err := Read(in, 0)
	require.NoError(t, err)
	at, ok := EventTime(in, token)
	assert.True(t, ok)
	assert.Equal(t, time.Unix(1700000000, 123456789).UTC(), at)
	for _, other := range []string{"d701 6553f100 075bcd15", "d600 6553f100", "a161"} {
		in := unhex(t, other)
		token, err := Read(in, 0)
		require.NoError(t, err)
		_, ok := EventTime(in, token)
		assert.False(t, ok, other)
	}
}

// reference decodes with the library that fluent-bit-go uses; ok is false where its values are no measure: repeated
// names, names that are no strings, extensions.
func reference(b []byte) (value any, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	h := new(codec.MsgpackHandle)
	h.WriteExt = true
	if codec.NewDecoderBytes(b, h).Decode(&value) != nil {
		return nil, false
	}
	return plain(value)
}

// plain makes of a decoded value what encoding/json decodes of its text.
func plain(v any) (any, bool) {
	switch v := v.(type) {
	case nil, bool, string:
		return v, true
	case []byte:
		return base64.StdEncoding.EncodeToString(v), true
	case int64, uint64, float64, float32:
		text, err := json.Marshal(v)
		return json.Number(text), err == nil
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var ok bool
			if out[i], ok = plain(v[i]); !ok {
				return nil, false
			}
		}
		return out, true
	case map[any]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			name, ok := key.(string)
			if !ok {
				return nil, false
			}
			if out[name], ok = plain(value); !ok {
				return nil, false
			}
		}
		return out, true
	}
	return nil, false
}

// same compares decoded JSON with a reference, numbers by their value.
func same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		n, ok := b.(json.Number)
		if !ok {
			return false
		}
		if a == n {
			return true
		}
		x, errX := a.Float64()
		y, errY := n.Float64()
		return errX == nil && errY == nil && (x == y || float32(x) == float32(y))
	case []any:
		other, ok := b.([]any)
		if !ok || len(a) != len(other) {
			return false
		}
		for i := range a {
			if !same(a[i], other[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		other, ok := b.(map[string]any)
		if !ok || len(a) != len(other) {
			return false
		}
		for name := range a {
			if !same(a[name], other[name]) {
				return false
			}
		}
		return true
	}
	return a == b
}

// FuzzAppend: no input makes it panic; what it takes is JSON as far as its strings are UTF-8, of the length that Skip
// finds, and says what another decoder reads.
func FuzzAppend(f *testing.F) {
	for _, seed := range []string{"c0", "93 01 a161 c0", "82 a161 01 a162 81 a163 90", "d700 6553f100 075bcd15", "dfffffffff", "81 80 01", "cb7ff8000000000000",
		"92 92 d7006b010eb23add6f88 80 80", "ca3dcccccd", "c403010203", "a4 fffe c328", "d90a 22 5c 0a 0d 09 08 0c 00 1f 7f"} {
		f.Add(unhex(f, seed))
	}
	f.Add(msgpack.AppendStructured(nil, time.Unix(1700000000, 1), `{"a":[1,-1,1.5,1e300,"x\"",null,true,{"b":{}}],"é":"☃"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var w Writer
		text, end, err := w.Append(nil, in, 0)
		skipped, skipErr := Skip(in, 0)
		if short, to := AppendPlain([]byte("x"), in, 0); to > 0 && (err != nil || to != end || w.Doubtful || string(short) != "x"+string(text)) {
			t.Fatalf("%x: %s to %d, want %s to %d, %v", in, short, to, text, end, err)
		} else if to == 0 && string(short) != "x" {
			t.Fatalf("%x: left %q", in, short)
		}
		if err == nil && !w.Doubtful {
			if err := jsonscan.Valid("[" + string(text) + "]"); err != nil {
				t.Fatalf("%x: no doubt about %s: %v", in, text, err)
			}
		}
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%x: %v", in, err)
			}
			if !e.Framed && skipErr == nil {
				t.Fatalf("%x: %v, and yet it can be skipped", in, err)
			}
			return
		}
		if skipErr != nil || end != skipped {
			t.Fatalf("%x: end %d, skipped to %d: %v", in, end, skipped, skipErr)
		}
		var syntax *jsonscan.SyntaxError
		if err := jsonscan.Valid(string(text)); err != nil && !(errors.As(err, &syntax) && syntax.Msg == "not UTF-8") {
			t.Fatalf("%x: %s: %v", in, text, err)
		} else if err != nil {
			return
		}
		want, ok := reference(in[:end])
		if !ok {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		var got any
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if !same(got, want) {
			t.Fatalf("%x:\n%s\n%#v", in, text, want)
		}
	})
}

// TestAppendPlain: strings of every length, with each kind of byte at each place, at the end of the data and before it.
func TestAppendPlain(t *testing.T) {
	for size := range 100 {
		for at := range size + 1 {
			for _, c := range []byte{'x', ' ', 0x7f, '"', '\\', 0x1f, 0x80, 0xff} {
				text := bytes.Repeat([]byte("a"), size)
				if at < size {
					text[at] = c
				}
				plain := at == size || c == 'x' || c == ' ' || c == 0x7f
				for _, behind := range []string{"", "\"\x00\xff", strings.Repeat("\"", 20)} {
					in := append(msgpack.AppendString(nil, string(text)), behind...)
					want, wantEnd, err := Append(nil, in, 0)
					if err != nil {
						t.Fatal(err)
					}
					out, end := AppendPlain(make([]byte, 0, size%7*20), in, 0)
					if end == 0 && plain && len(in) > 2 || end > 0 && (!plain || end != wantEnd || !bytes.Equal(out, want)) {
						t.Fatalf("%q of %q: %q to %d", text, in, out, end)
					}
				}
			}
		}
	}
}

// TestNames: a map has the shape of the one before only when its names are the same.
func TestNames(t *testing.T) {
	var n Names
	read := func(ends bool, names ...string) (shape jsonscan.Shape) {
		n.Begin()
		for at, name := range names {
			token := msgpack.AppendString(nil, name)
			if text, end := n.At(append(token, 0xc0), 0, at); end > 0 {
				if end != len(token) || string(text) != `"`+name+`":` {
					t.Fatalf("%q: %s to %d", name, text, end)
				}
				continue
			}
			text, _, err := new(Writer).AppendName(nil, token, 0, Token{Kind: String, Data: len(token) - len(name), Len: len(name), Next: len(token)})
			if err != nil {
				t.Fatal(err)
			}
			n.Put(at, token, append(text, ':'), name != "log")
		}
		if !ends {
			return 0
		}
		return n.End(len(names))
	}
	first := read(true, "a", "b", "c")
	if again := read(true, "a", "b", "c"); again != first {
		t.Error("not known again")
	}
	for _, names := range [][]string{{"a", "b"}, {"a", "b", "c", "d"}, {"a", "c", "b"}, {}, {"a", "b\"", "c"}, {"a", "b", "log"}, {"a", "b", strings.Repeat("c", 32)}} {
		if read(true, names...) == first || read(false, names...) == first || read(true, "a", "b", "c") == first {
			t.Errorf("%q: taken for another", names)
		}
		first = read(true, "a", "b", "c")
	}
	if first = read(true, "log"); read(true, "log") == first {
		t.Error("an unusual name has a shape")
	}
	read(false, "x", "y")
	first = read(true, "x", "b", "c")
	if read(false, "a", "b", "c"); read(true, "a", "b", "c") == first {
		t.Error("names of a map that was not ended")
	}
}

package jsonscan

import (
	"strings"
	"testing"
)

func TestSkip(t *testing.T) {
	tests := []struct {
		value string
		kind  Kind
	}{
		{`""`, String}, {`"abc"`, String}, {`"a\"b]}"`, String}, {`"\\"`, String}, {`"` + strings.Repeat("x", 30) + `\""`, String},
		{`"é]"`, String}, {`0`, Number}, {`-1.5e3`, Number}, {`true`, Bool}, {`false`, Bool}, {`null`, Null},
		{`{}`, Object}, {`[]`, Array}, {`{"a":[{"b":"}"},["]"]],"c":"\"}"}`, Object}, {`[1,"[",{"x":[2]}]`, Array},
		{`{"long":"` + strings.Repeat("[", 40) + `","and":[[[[[[[[[[]]]]]]]]]]}`, Object},
	}
	for _, test := range tests {
		if err := Valid(test.value); err != nil {
			t.Fatalf("%s: %v", test.value, err)
		}
		for _, tail := range []string{"", ",", "}", "]", " x", `,"b":1}`} {
			s := "[" + test.value + tail
			end, kind, ok := Skip(s, 1)
			if !ok || kind != test.kind || s[1:end] != test.value {
				t.Errorf("Skip(%q): %q %v %v", s, s[1:end], kind, ok)
			}
		}
	}
	for _, s := range []string{``, `"`, `"abc`, `"abc\`, `{`, `{"a":"b"`, `[[]`, `x`, `}`, `"\"`} {
		if end, _, ok := Skip(s, 0); ok || end > len(s) {
			t.Errorf("Skip(%q): end %d, ok %v", s, end, ok)
		}
	}
}

// FuzzSkip holds Skip to the scanner: where the scanner takes a value, Skip ends at the same byte.
func FuzzSkip(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":"\"}"}]}`, `"x"`, `-1.5`, `[[],{}]`, `{"a`, `nul`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		end, kind, ok := Skip(s, 0)
		if end < 0 || end > len(s) && ok {
			t.Fatalf("end %d of %d", end, len(s))
		}
		want, err := Prefix(s, 0)
		if err != nil {
			return
		}
		if kind == Number || kind == Bool || kind == Null { // Skip goes on to the next delimiter
			if end < want {
				t.Fatalf("end %d, want at least %d", end, want)
			}
			return
		}
		if !ok || end != want {
			t.Fatalf("end %d %v, want %d", end, ok, want)
		}
	})
}

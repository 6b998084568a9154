package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMembers(t *testing.T) {
	in := ` {"a" : 1, "b\u0063":"x\ny" ,"c":[{"d":null}], "e":{"f":true},"a":-0.5e+3}` + "\n"
	members, compact, err := Members(nil, in)
	if err != nil {
		t.Fatal(err)
	}
	if compact {
		t.Error("compact, although there are blanks")
	}
	want := []struct {
		key, value string
		kind       Kind
		text       string
	}{
		{"a", "1", Number, ""},
		{"bc", `"x\ny"`, String, "x\ny"},
		{"c", `[{"d":null}]`, Array, ""},
		{"e", `{"f":true}`, Object, ""},
		{"a", "-0.5e+3", Number, ""},
	}
	if len(members) != len(want) {
		t.Fatalf("%d members, want %d: %+v", len(members), len(want), members)
	}
	for i, w := range want {
		m := &members[i]
		if m.Key() != w.key || m.Value != w.value || m.Kind != w.kind || m.Text() != w.text {
			t.Errorf("member %d: %+v, want %+v", i, m, w)
		}
		if in[m.Offset:m.Offset+len(m.Value)] != m.Value {
			t.Errorf("member %d: offset %d does not point at its value", i, m.Offset)
		}
	}
}

func TestCompact(t *testing.T) {
	for in, want := range map[string]bool{
		`{}`: true, `{"a":"b c\n"}`: true, `{"a":[1,{"b":2}]}`: true,
		` {}`: false, `{} `: false, `{"a": 1}`: false, "{\"a\":1\n}": false, `{"a":[1, 2]}`: false, `{"a":{"b":1 }}`: false,
	} {
		_, compact, err := Members(nil, in)
		if err != nil || compact != want {
			t.Errorf("%q: compact %v, %v; want %v", in, compact, err, want)
		}
		if got := AppendCompact(nil, in); compact && string(got) != in {
			t.Errorf("%q: compact, but AppendCompact makes %q of it", in, got)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		in     string
		offset int
		msg    string
	}{
		{"", 0, "no JSON text"},
		{"  ", 2, "no JSON text"},
		{"[1]", 0, "not a JSON object"},
		{`{`, 1, "text ends inside an object"},
		{`{"a"`, 4, "no colon"},
		{`{"a":`, 5, "text ends where a value is due"},
		{`{"a":1`, 6, "text ends inside an object"},
		{`{"a":1,}`, 7, "unexpected '}' where a name is due"},
		{`{"a":01}`, 6, "unexpected '1' after a value"},
		{`{"a":-}`, 5, "number without digits"},
		{`{"a":1.}`, 5, "after its point"},
		{`{"a":1e}`, 5, "exponent"},
		{`{"a":tru}`, 5, "true expected"},
		{`{"a":NaN}`, 5, "unexpected 'N'"},
		{`{"a":"b}`, 5, "string without end"},
		{`{"a":"\x"}`, 6, "unknown escape 'x'"},
		{`{"a":"\u12G4"}`, 6, "four hexadecimal digits"},
		{`{"a":"\ud800"}`, 6, "surrogate"},
		{`{"a":"\udc00\ud800"}`, 6, "surrogate"},
		{"{\"a\":\"\n\"}", 6, "control character byte 0x0a"},
		{"{\"a\":\"\xff\"}", 6, "not UTF-8"},
		{"{\"a\":\"12345678\xed\xa0\x80\"}", 14, "not UTF-8"},
		{`{"a":1} x`, 8, "text after"},
		{`{"a":1}{}`, 7, "text after"},
		{`{"a":` + strings.Repeat("[", MaxDepth), 5 + MaxDepth - 1, "nested deeper"},
	} {
		_, _, err := Members(nil, c.in)
		var se *SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%q: error %v", c.in, err)
			continue
		}
		if se.Offset != c.offset || !strings.Contains(se.Msg, c.msg) {
			t.Errorf("%q: %v, want byte %d: ...%s...", c.in, err, c.offset, c.msg)
		}
	}
}

func TestDepthLimit(t *testing.T) {
	deepest := `{"a":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `}`
	if _, _, err := Members(nil, deepest); err != nil {
		t.Error(err)
	}
}

// TestPrefixOfEveryLength: each proper prefix of a value is Short, and the whole is found whatever follows.
func TestPrefixOfEveryLength(t *testing.T) {
	const value = `{"a\u00e9":[1,-2.5e+3,"é\ud83d\ude00\\",true,false,null,{}],"b" : {"c":[]}}`
	for i := range len(value) {
		_, err := Prefix(value[:i], 0)
		var se *SyntaxError
		if !errors.As(err, &se) || !se.Short {
			t.Errorf("%q: %v", value[:i], err)
		}
	}
	for _, rest := range []string{"", "x", "}", "\n{"} {
		if end, err := Prefix(" "+value+rest, 1); err != nil || end != 1+len(value) {
			t.Errorf("followed by %q: end %d, %v", rest, end, err)
		}
	}
}

func TestAppendQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"":                           `""`,
		"plain text, long enough":    `"plain text, long enough"`,
		"a\"b\\c\n\r\t\b\f\x00\x1f":  `"a\"b\\c\n\r\t\b\f\u0000\u001f"`,
		"<&>é\u2028\u2029\U0001F600": `"<&>é\u2028\u2029😀"`,
		"a\xffb\xc3":                 "\"a\uFFFDb\uFFFD\"",
	} {
		if got := string(AppendQuoted(nil, in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// FuzzValid holds the scanner to encoding/json: what we accept it accepts, and what it accepts of UTF-8 text without
// lone surrogates and within the depth limit we accept.
func FuzzValid(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9\ud83d\ude00",null,true]}`, `{"a":"b`, `[[]]`, ` 1 `, "{\"a\":\"é\x00\"}", `{"a":01}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		asStepByStep(t, s)
		err := Valid(s)
		std := json.Valid([]byte(s))
		if err == nil && !std {
			t.Fatalf("accepted what is not JSON: %q", s)
		}
		if err != nil && std && utf8.ValidString(s) && !strings.Contains(err.Error(), "surrogate") && !strings.Contains(err.Error(), "deeper") {
			t.Fatalf("refused JSON: %q: %v", s, err)
		}
		if err != nil {
			return
		}
		var compact bytes.Buffer
		if json.Compact(&compact, []byte(s)) == nil && compact.String() != string(AppendCompact(nil, s)) {
			t.Fatalf("AppendCompact(%q) = %q, want %q", s, AppendCompact(nil, s), compact.String())
		}
		members, isCompact, err := Members(nil, s)
		if err != nil {
			return
		}
		if isCompact != (compact.String() == s) {
			t.Fatalf("compact %v of %q", isCompact, s)
		}
		if again := AppendMembers(nil, s, AppendWhere(nil, s, members)); isCompact && !slices.Equal(again, members) {
			t.Fatalf("%q: %+v, want %+v", s, again, members)
		}
		for i := range members {
			if members[i].Kind != String {
				continue
			}
			var want string
			if err := json.Unmarshal([]byte(members[i].Value), &want); err != nil || want != members[i].Text() {
				t.Fatalf("text %q of %s, want %q (%v)", members[i].Text(), members[i].Value, want, err)
			}
		}
	})
}

// FuzzAppendQuoted: what is quoted is valid JSON and decodes to the same text, invalid UTF-8 replaced.
func FuzzAppendQuoted(f *testing.F) {
	f.Add("a\"\\\n\x00\xff é\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		q := string(AppendQuoted(nil, s))
		if err := Valid(q); err != nil {
			t.Fatalf("%q: %v", q, err)
		}
		var got string
		if err := json.Unmarshal([]byte(q), &got); err != nil || got != string([]rune(s)) {
			t.Fatalf("%q came back as %q (%v)", s, got, err)
		}
		if u := Unquote(q[1 : len(q)-1]); u != got {
			t.Fatalf("Unquote: %q, want %q", u, got)
		}
	})
}

// finding is a synthetic record of about 1.1 KB.
var finding = `{"labels":["Sensitive","Known Admin"],"alert_id":"f-0001-3e0af324-b2dd-4c24-b952-37457c5882e2","asset_id":"arn:aws:s3:::acme-data-lake-eu-central-1","provider":"AWS","resolved":false,"severity":"High","tenant_id":"id-1234","account_id":"111122223333","description":"` +
	strings.Repeat("A remote attacker may read every object of the bucket without any credentials. ", 6) +
	`","resource_type":"Storage","risk_category":"Data Exposure","detection_type":"security_finding","attack_scenario":"Publicly readable bucket","related_resources":[["arn:aws:s3:::acme-data-lake-eu-central-1","arn:aws:iam::111122223333:role/reader"]],"detection_timestamp":"2024-09-15T17:16:00Z","first_seen_timestamp":"2024-01-02T03:04:05Z"}`

func BenchmarkMembers(b *testing.B) {
	members, compact, err := Members(nil, finding)
	if err != nil || !compact || len(members) != 16 {
		b.Fatalf("%d members, compact %v, %v", len(members), compact, err)
	}
	b.SetBytes(int64(len(finding)))
	b.ReportAllocs()
	for b.Loop() {
		members, _, err = Members(members[:0], finding)
	}
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkAppendQuoted(b *testing.B) {
	want, _ := json.Marshal(finding)
	if got := AppendQuoted(nil, finding); !bytes.Equal(got, want) {
		b.Fatalf("%s", got)
	}
	b.SetBytes(int64(len(finding)))
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = AppendQuoted(dst[:0], finding)
	}
}

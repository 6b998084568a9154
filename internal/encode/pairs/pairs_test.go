package pairs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// equals is a syntax that has everything a Syntax can say: "type> a=b c=d", where %20 is a blank and %25 a percent sign.
var equals = Syntax{
	Between: ' ', Assign: '=', Values: percent{}, MaxToken: utf8.UTFMax, PartKey: "part",
	Head: func(dst []byte, rec *record.Record) []byte { return append(append(dst, rec.EventType...), "> "...) },
	CheckKey: func(key string) error {
		if strings.ContainsAny(key, " =") {
			return fmt.Errorf("%q has a blank or =", key)
		}
		return nil
	},
}

type percent struct{}

func (percent) Escape(dst []byte, from int) []byte {
	safe := strings.NewReplacer("%", "%25", " ", "%20").Replace(string(dst[from:]))
	return append(dst[:from], safe...)
}

func (percent) Cut(value []byte, n int) int {
	if n >= len(value) {
		return len(value)
	}
	if i := bytes.LastIndexByte(value[:n], '%'); i >= 0 && i+len("%20") > n {
		n = i
	}
	for n > 0 && !utf8.RuneStart(value[n]) {
		n--
	}
	return n
}

// tables: b is the first, everything else the second.
var tables = []Table{
	{Name: "b", Rows: []Row{Identity("id", "id|@id", ""), Text("text", "text", "")}},
	{Name: "other", Rows: []Row{Code("code", "code", ""), Identity("id", "@id", ""), Detail("detail", "a.b|detail", ""), Text("text", "text", "")}},
}

func tableOf(rec *record.Record) int {
	if rec.EventType == "b" {
		return 0
	}
	return 1
}

func newEncoder(t *testing.T, c encode.Config) *Encoder {
	t.Helper()
	e, err := New(equals, tables, tableOf, c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// messages are what an encoder makes of rec.
func messages(t *testing.T, e *Encoder, rec record.Record, budget int) (got []string, result encode.Result) {
	t.Helper()
	all, ends, result, err := e.Append(nil, nil, &rec, jsonscan.Known{}, budget)
	if err != nil {
		t.Fatal(err)
	}
	from := 0
	for _, end := range ends {
		if end-from > budget {
			t.Errorf("%d bytes of %d", end-from, budget)
		}
		got, from = append(got, string(all[from:end])), end
	}
	return got, result
}

func TestSyntax(t *testing.T) {
	long := record.Record{EventType: "a", ID: "7", Body: `{"code":"c","a":{"b":"é %"},"text":"` + strings.Repeat("two words ", 20) + `"}`}
	for _, c := range []struct {
		config encode.Config
		rec    record.Record
		budget int
		result encode.Result
		want   []string
	}{
		{encode.Config{}, record.Record{EventType: "b", ID: "7", Body: `{"text":"a b"}`}, 100, encode.Whole, []string{"b> id=7 text=a%20b"}},
		{encode.Config{}, record.Record{EventType: "b", ID: "7", Body: `{"id":null,"text":[1,true,"x"]}`}, 100, encode.Whole, []string{"b> id=7 text=1,true,x"}},
		{encode.Config{}, long, 70, encode.Shortened, []string{"a> code=c id=7 detail=é%20%25 text=two%20words%20two%20words%20two…"}},
		{encode.Config{Overflow: encode.OverflowSplit}, record.Record{EventType: "a", ID: "7", Body: `{"text":"` + strings.Repeat("x", 100) + `"}`}, 90, encode.Split,
			[]string{"a> id=7 part=1/2 text=" + strings.Repeat("x", 68), "a> id=7 part=2/2 text=" + strings.Repeat("x", 32)}},
		{encode.Config{Fields: []encode.Field{{Key: "what", From: "text"}, {Key: "code"}}}, record.Record{EventType: "a", Body: `{"code":"c","text":"x"}`}, 100, encode.Whole,
			[]string{"a> what=x code=c"}},
	} {
		got, result := messages(t, newEncoder(t, c.config), c.rec, c.budget)
		if fmt.Sprint(got) != fmt.Sprint(c.want) || result != c.result {
			t.Errorf("%v\n%q\nwant\n%q", result, got, c.want)
		}
	}
}

// TestHeadCounts: a head that leaves no room is an error, as ids that leave none are.
func TestHeadCounts(t *testing.T) {
	for _, overflow := range []string{encode.OverflowShorten, encode.OverflowSplit, encode.OverflowDrop} {
		e := newEncoder(t, encode.Config{Overflow: overflow})
		rec := record.Record{EventType: strings.Repeat("h", 100), ID: "7", Body: `{"text":"x"}`}
		if _, _, _, err := e.Append(nil, nil, &rec, jsonscan.Known{}, 90); !errors.Is(err, encode.ErrTooLong) {
			t.Errorf("%s: %v", overflow, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for want, key := range map[string]string{"fields[0].key: part numbers": "part", `fields[0].key: "a=b" has`: "a=b"} {
		if err := Check(&equals, encode.Config{Fields: []encode.Field{{Key: key}}}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := New(equals, tables, tableOf, encode.Config{Overflow: "?"}); err == nil {
		t.Error("a configuration that is wrong")
	}
	if _, err := New(equals, []Table{{Name: "x", Rows: []Row{Text("k", "@nothing", "")}}}, tableOf, encode.Config{}); err == nil || !strings.HasPrefix(err.Error(), "table x, key k: ") {
		t.Error(err)
	}
}

package schema

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// TestGolden: each schema maps the bodies in its folder of testdata, <case>.in, as <case>.<version>.out says; a schema without
// versions has <case>.out.
func TestGolden(t *testing.T) {
	for _, s := range Schemas {
		inputs, err := filepath.Glob(filepath.Join("testdata", s.Name, "*.in"))
		if err != nil || len(inputs) == 0 {
			t.Errorf("schema %s has no cases: %v", s.Name, err)
		}
		versions := s.Versions
		if len(versions) == 0 {
			versions = []string{""}
		}
		for _, version := range versions {
			m, err := Config{Name: s.Name, Version: version}.New()
			if err != nil {
				t.Fatal(err)
			}
			for _, input := range inputs {
				out := strings.TrimSuffix(input, "in") + strings.TrimPrefix(version+".out", ".")
				rec := record.Record{EventType: record.SecurityFinding, Body: read(t, input)}
				if _, err := m.Map(&rec, jsonscan.Known{}); err != nil || rec.Body != read(t, out) {
					t.Errorf("%s: %v\n%s", out, err, rec.Body)
				}
			}
		}
		if s.Doc == "" {
			t.Errorf("schema %s has no documentation", s.Name)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(text, []byte{'\n'}))
}

func TestConfig(t *testing.T) {
	defer func(before []Schema) { Schemas = before }(Schemas)
	Schemas = append(Schemas, Schema{Name: "versioned", Versions: []string{"2", "1"}, New: func(version string) (Mapper, error) { return upper(version), nil }})
	for want, c := range map[string]Config{
		"":                                    {},
		`schema: "x", want one of native`:     {Name: "x"},
		`version: "1", but schema native has`: {Version: "1"},
		`version: "3", want one of 2, 1`:      {Name: "versioned", Version: "3"},
	} {
		if err := c.Validate(); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	m, err := Config{Name: "versioned"}.New()
	if err != nil || m.mapper != upper("2") {
		t.Errorf("%v, %v", m, err)
	}
}

// upper is a Mapper to a schema of capitals, which has no place for digits.
type upper string

func (upper) Map(dst []byte, rec *record.Record, _ jsonscan.Known) ([]byte, error) {
	if strings.ContainsAny(rec.Body, "0123456789") {
		return dst, errors.New("no place for digits")
	}
	return append(dst, strings.ToUpper(rec.Body)...), nil
}

func TestMapping(t *testing.T) {
	known := jsonscan.Known{Places: make([]jsonscan.Where, 1)}
	m := Apply(upper(""))
	first := record.Record{Body: `{"a":"b"}`}
	if left, err := m.Map(&first, known); err != nil || first.Body != `{"A":"B"}` || left.Places != nil {
		t.Errorf("%+v %v %v", first, left, err)
	}
	flagged := record.Record{Body: `{"a":1}`}
	if left, err := m.Map(&flagged, known); err == nil || flagged.Body != `{"a":1}` || flagged.Error != err.Error() || left.Places == nil {
		t.Errorf("%+v %v %v", flagged, left, err)
	}
	invalid := record.Record{EventType: record.Invalid, Body: `{"raw":"x"}`}
	if _, err := m.Map(&invalid, known); err != nil || invalid.Body != `{"raw":"x"}` {
		t.Errorf("%+v %v", invalid, err)
	}
	if first.Body != `{"A":"B"}` {
		t.Error("a body changed with the records after it")
	}
}

// TestNativeIsFree: the zero Mapping neither allocates nor touches the record.
func TestNativeIsFree(t *testing.T) {
	var m Mapping
	rec := record.Record{Body: `{"a":"b"}`}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := m.Map(&rec, jsonscan.Known{}); err != nil {
			t.Fatal(err)
		}
	}); n != 0 || rec.Body != `{"a":"b"}` {
		t.Errorf("%v allocations, %s", n, rec.Body)
	}
}

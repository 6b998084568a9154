package panoptica

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// values are tried for every field: right, nearly right and wrong ones of every type.
var values = []string{
	`"AWS"`, `"aws"`, `" Azure "`, `"High"`, `"Informational"`, `"id"`, `"id-1"`, `"Id-1"`, `""`, `"x"`, `"Storage"`, `"Data Exposure"`,
	`"attack_path"`, `"security_finding"`, `"ATTACK_PATH"`, `true`, `false`, `null`, `0`, `100`, `1e2`, `87.0`, `-1`, `[]`, `["a"]`, `[[]]`, `[["a","b"],[]]`, `[["a",1]]`, `[["a"],["b\"],1"]]`, `[["a"],1]`, `[["a"],["b",["c"]]]`, `[["a"],["b"]]`, `[["a"],{}]`, `[["a"],"b"]`, `{}`,
	`{"risk_score":0}`, `{"risk_score":100}`, `{"risk_score":100.0}`, `{"risk_score":1.0e2}`, `{"risk_score":100.5}`, `{"risk_score":101}`, `{"risk_score":-0}`, `{"risk_score":50,"risk_score":101}`, `{"risk_score":50,"\u0072isk_score":101}`, `{"risk_score":50,"a":"risk_score","b":[1]}`, `{"a":1,"risk_score":7}`, `{"risk_score":-1}`,
	`{"risk_score":"90"}`, `{"risk_score":null}`, `{"risk_score":1e-2}`, `{"risk_score":1e999999999}`, `{"Risk_score":101}`,
	`"2024-09-15T17:16:00Z"`, `"2024-09-15T17:16:00.123456789123Z"`, `"2024-09-15t17:16:00z"`, `"2024-09-15T17:16:00+02:00"`, `"2024-09-15T17:16:00"`, `"2024-09-15 17:16:00Z"`,
	`"2024-02-30T00:00:00Z"`, `"2024-09-15T24:00:00Z"`, `"2024-09-15T7:16:00Z"`, `"2024-09-15T17:16:00,5Z"`, `"2024-09-15T17:16:00.Z"`, `"2016-12-31T23:59:60Z"`, `"2017-01-01T00:59:60+01:00"`, `"2024-09-15"`,
	`"` + strings.Repeat("é", 50) + `"`, `"` + strings.Repeat("é", 51) + `"`, `"\u0069d"`,
}

// TestCheckAgreesWithTheSchema holds Check to an independent validator over every field and value: what Check takes, with
// its fixes made, the schema takes; what Check refuses, the schema refuses.
func TestCheckAgreesWithTheSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("finding.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("finding.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(value)
	}
	taken, refused := 0, 0
	for field := Labels; field < numFields; field++ {
		for _, v := range values {
			if strings.Contains(v, "e999999999") { // the validator would compute it
				continue
			}
			text := `{"` + field.Name() + `":` + v + `}`
			members, _, err := jsonscan.Members(nil, text)
			if err != nil {
				t.Fatal(err)
			}
			var f Finding
			if err := f.Check(members, 0); err != nil {
				refused++
				if !strings.Contains(err.Error(), field.Name()) && !strings.Contains(err.Error(), "risk_params") {
					t.Errorf("%s: error does not name the field: %v", text, err)
				}
				if valid(text) == nil {
					t.Errorf("%s: refused (%v), and the schema takes it", text, err)
				}
				continue
			}
			taken++
			for _, fix := range f.Fixes {
				text = text[:members[fix.Index].Offset] + fix.Value + "}"
			}
			if err := valid(text); err != nil {
				t.Errorf("%s: taken, and the schema refuses it: %v", text, err)
			}
			if len(f.Fixes) == 0 && (f.Time(field).IsZero() == (field == DetectionTimestamp || field == FirstSeenTimestamp)) {
				t.Errorf("%s: time %v", text, f.Time(field))
			}
		}
	}
	if taken < 100 || refused < 500 {
		t.Errorf("%d taken, %d refused: the table does not try enough", taken, refused)
	}
}

func TestHugeExponentIsNoScore(t *testing.T) {
	start := time.Now()
	if isScore("1e999999999") || isScore("1e-999999999") || isScore(strings.Repeat("9", 1<<20)) {
		t.Error("taken")
	}
	if time.Since(start) > time.Second {
		t.Error("computed")
	}
}

func TestFieldOf(t *testing.T) {
	for field := Labels; field < numFields; field++ {
		if got := fieldOf(field.Name()); got != field {
			t.Errorf("%s: %v", field.Name(), got)
		}
	}
	for _, name := range []string{"", "severitz", "Severity", strings.Repeat("x", 100)} {
		if got := fieldOf(name); got != none {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// TestPlainDateTime holds the short way to the standard library's: it may leave a text to it, but not read another time.
func TestPlainDateTime(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	read := 0
	for range 200_000 {
		text := fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", rnd.IntN(10_000), rnd.IntN(14), rnd.IntN(33), rnd.IntN(25), rnd.IntN(61), rnd.IntN(62))
		if n := rnd.IntN(12); n > 0 {
			text = text[:19] + "." + strings.Repeat("9", n-1) + "Z"
		}
		if rnd.IntN(4) == 0 { // broken somewhere
			i := rnd.IntN(len(text))
			text = text[:i] + string("0:-.TtZz+ "[rnd.IntN(10)]) + text[i+1:]
		}
		got, ok := plainDateTime(text)
		if !ok {
			continue
		}
		read++
		want, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || !want.Equal(got) || got.Location() != time.UTC {
			t.Fatalf("%s: %v, want %v, %v", text, got, want, err)
		}
	}
	if read < 50_000 {
		t.Fatal("only ", read, " were read")
	}
	for _, text := range []string{"2024-09-15T17:16:00Z", "2024-02-29T00:00:00.5Z", "9999-12-31T23:59:59.999999999Z"} {
		if _, ok := plainDateTime(text); !ok {
			t.Error(text)
		}
	}
}

// TestOrderDoesNotMatter: fields are found wherever they stand, whatever stood there in the finding before.
func TestOrderDoesNotMatter(t *testing.T) {
	names := make([]string, 0, numFields)
	for f := Labels; f < numFields; f++ {
		names = append(names, f.Name())
	}
	names = append(names, "unknown", "alert_ids", "")
	rnd := rand.New(rand.NewPCG(3, 4))
	var f Finding
	for range 2000 {
		rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		n := 1 + rnd.IntN(len(names))
		members := make([]jsonscan.Member, n)
		for i, name := range names[:n] {
			members[i] = jsonscan.Member{Name: name, Value: `"x"`, Kind: jsonscan.String, Offset: i}
		}
		for i := range members {
			f.index, f.Deciding = [numFields]int32{}, f.Deciding[:0]
			field := fieldOf(members[i].Name)
			_ = f.Check(members[i:i+1], 0)
			if field != none && f.index[field] != 1 {
				t.Fatalf("%s not found", members[i].Name)
			}
			if deciding := field == none || field == Resolved; deciding != (len(f.Deciding) == 1) {
				t.Fatalf("%s: deciding %v", members[i].Name, f.Deciding)
			}
		}
	}
}

// TestShapeDoesNotMatter: what is remembered of a finding of the same shape changes nothing about the next one.
func TestShapeDoesNotMatter(t *testing.T) {
	fields := make([]string, 0, numFields)
	for f := Labels; f < numFields; f++ {
		fields = append(fields, f.Name())
	}
	fields = append(fields, "unknown", "status")
	rnd := rand.New(rand.NewPCG(5, 6))
	var names jsonscan.Names
	var f Finding
	taken, known := 0, 0
	for range 3000 {
		rnd.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		n := 1 + rnd.IntN(4)
		for range 4 { // of one shape, mostly
			text := "{"
			for i, name := range fields[:n] {
				value := values[rnd.IntN(len(values))]
				for range 20 { // a right one, mostly
					members, _, _ := jsonscan.Members(nil, `{"`+name+`":`+value+`}`)
					if new(Finding).Check(members, 0) == nil {
						break
					}
					value = values[rnd.IntN(len(values))]
				}
				if i > 0 {
					text += ","
				}
				text += `"` + name + `":` + value
			}
			if rnd.IntN(10) == 0 {
				text += `,"` + fields[rnd.IntN(len(fields))] + `":"AWS"`
			}
			members, _, shape, err := names.Members(nil, text+"}")
			if err != nil {
				t.Fatal(text, err)
			}
			if f.shape == shape {
				known++
			}
			var want Finding
			err, wantErr := f.Check(members, shape), want.Check(members, 0)
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("%s: %v, want %v", text, err, wantErr)
			}
			if err != nil {
				continue
			}
			taken++
			if f.index != want.index || f.enum != want.enum || !slices.Equal(f.Deciding, want.Deciding) || !slices.Equal(f.Fixes, want.Fixes) ||
				f.Time(DetectionTimestamp) != want.Time(DetectionTimestamp) || f.Time(FirstSeenTimestamp) != want.Time(FirstSeenTimestamp) {
				t.Fatalf("%s: %+v, want %+v", text, f, want)
			}
		}
	}
	if taken < 2000 || known < 2000 {
		t.Fatal("only ", taken, " taken, ", known, " of a known shape")
	}
}

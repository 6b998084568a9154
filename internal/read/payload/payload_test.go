package payload

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/siempipe/siempipe/internal/test/measure"
)

// cut returns the raw texts of a payload, read in one go and byte by byte.
func cut(t *testing.T, in string, opts Options) (raws []string, items []Item) {
	t.Helper()
	collect := func(r io.Reader) (raws []string, items []Item) {
		err := Cut(r, opts, func(item Item) error {
			if item.Index != len(items) {
				t.Errorf("%.200q: index %d of record %d", in, item.Index, len(items))
			}
			raws, items = append(raws, item.Raw), append(items, item)
			return nil
		})
		if err != nil {
			t.Errorf("%.200q: %v", in, err)
		}
		return raws, items
	}
	raws, items = collect(strings.NewReader(in))
	if slow, _ := collect(iotest.OneByteReader(strings.NewReader(in))); !slices.Equal(raws, slow) {
		t.Errorf("%.200q: %.300q, but %.300q when read byte by byte", in, raws, slow)
	}
	return raws, items
}

func TestCut(t *testing.T) {
	const a, b = `{"alert_id":"a","x":{"y":[1,{"z":"}\"]"}]}}`, `{"alert_id":"b"}`
	pretty := "{\n  \"alert_id\": \"p\",\n  \"labels\": [\n    {\n      \"k\": 1\n    }\n  ]\n}"
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"nothing":                     {"", nil},
		"blanks":                      {" \r\n\n\t", nil},
		"one object":                  {a, []string{a}},
		"blanks and mark around":      {"\uFEFF \n" + a + "\n\n", []string{a}},
		"blanks behind":               {" " + a + " \t\n x|y \t\r\n \n", []string{a, "x|y \t"}},
		"lines":                       {a + "\n" + b + "\n" + a, []string{a, b, a}},
		"CRLF and empty lines":        {a + "\r\n\r\n" + b + "\r\n", []string{a, b}},
		"several on a line":           {a + b + " " + a, []string{a, b, a}},
		"pretty":                      {pretty + "\n" + pretty + "\n" + b, []string{pretty, pretty, b}},
		"array":                       {"[" + a + "," + b + "]", []string{a, b}},
		"pretty array":                {"[\n" + a + ",\n" + pretty + "\n]\n", []string{a, pretty}},
		"empty array":                 {"[]", nil},
		"arrays in a row":             {"[" + a + "]\n[" + b + "]", []string{a, b}},
		"CloudTrail":                  {`{"Records":[` + a + "," + b + `]}`, []string{a, b}},
		"Azure lines":                 {`{"records":[` + a + "]}\n" + `{"records":[` + b + `]}`, []string{a, b}},
		"page":                        {`{"count": 2, "page_result_count":2,"next":null,"has_more":false,"results":[` + a + "," + b + `]}`, []string{a, b}},
		"array late, first object":    {`{"generated":"today","scan_id":"s","tenant":{"x":[1]},"findings":[` + a + `],"attack_paths":[` + b + `],"n":1}`, []string{a, b}},
		"empty envelope":              {`{"findings":[],"attack_paths":[]}`, nil},
		"own array of a record":       {`{"alert_id":"a","results":[{"x":1}]}`, []string{`{"alert_id":"a","results":[{"x":1}]}`}},
		"resources is no envelope":    {`{"eventVersion":"1","resources":[{"x":1}]}`, []string{`{"eventVersion":"1","resources":[{"x":1}]}`}},
		"array of strings":            {`{"records":["x"]}`, []string{`{"records":["x"]}`}},
		"text lines":                  {"datetime:1|Scan ID:a\r\n<14>x\nlast", []string{"datetime:1|Scan ID:a", "<14>x", "last"}},
		"text like an array":          {"[06/Feb/2019:00:00:38 +0000] x\n[y", []string{"[06/Feb/2019:00:00:38 +0000] x", "[y"}},
		"text and JSON":               {"x\n" + a + "\ny", []string{"x", a, "y"}},
		"CloudWatch Logs":             {`{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logEvents":[{"id":"1","timestamp":1,"message":"2 a \"b\"\n"},{"id":"2","message":"{\"eventID\":\"1\"}"}]}` + a, []string{`2 a "b"`, `{"eventID":"1"}`, a}},
		"CloudWatch Logs asks":        {`{"messageType":"CONTROL_MESSAGE","owner":"1","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}` + a, []string{a}},
		"log event without message":   {`{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1"},{"id":"2","message":5},{"message":" "}]}`, []string{`{"id":"1"}`, `{"id":"2","message":5}`, `{"message":" "}`}},
		"GuardDuty's GetFindings":     {`{ "Findings" : [ ` + a + `, ` + b + ` ] }`, []string{a, b}},
		"a finding with Findings":     {`{"alert_id":"a","Findings":[` + a + `]}`, []string{`{"alert_id":"a","Findings":[` + a + `]}`}},
		"page of Google Cloud":        {`{"entries":[` + a + "," + b + `],"nextPageToken":"x"}`, []string{a, b}},
		"half at the end":             {a + "\n" + `{"half":`, []string{a, `{"half":`}},
		"half before a line":          {`{"half":` + "\n" + a + "\n" + b, []string{`{"half":` + "\n" + a} /* replaced below */},
		"half before text":            {`{"half":` + "\ndatetime:1|Scan ID:a\n<14>x\n" + a, []string{`{"half":`, "datetime:1|Scan ID:a", "<14>x", a}},
		"half string":                 {`{"half":"x` + "\n" + a + "\n" + b, []string{`{"half":"x`, a, b}},
		"half list":                   {`{"half":[1,` + "\n" + a + "\n" + b, []string{`{"half":[1,`, a, b}},
		"broken inside":               {b + "\n" + `{"x":}` + "\n" + a, []string{b, `{"x":}`, a}},
		"broken element":              {"[" + a + `,{"x":},{"y":tru},` + b + "]", []string{a, `{"x":}`, `{"y":tru}`, b}},
		"line end in a string":        {"[" + a + ",{\"x\":\"one\ntwo, \\\"]}\n<3\"}," + b + "," + a + "]", []string{a, "{\"x\":\"one\ntwo, \\\"]}\n<3\"}", b, a}},
		"line end in an envelope":     {`{"Records":[` + a + ",{\"x\":\"one\ntwo\"}," + b + `]}`, []string{a, "{\"x\":\"one\ntwo\"}", b}},
		"string without end in lines": {"[\n" + a + ",\n{\"x\":\"one},\n" + b + ",\n" + a + "\n]", []string{a, "{\"x\":\"one},", b, a}},
		"broken in an envelope":       {`{"Records":[` + a + `,{"x":},` + b + `]}`, []string{a, `{"x":}`, b}},
		"array without end":           {"[" + a + "," + b, []string{a, b}},
		"envelope without end":        {`{"Records":[` + a, []string{a}},
		"envelope with a bad tail":    {`{"Records":[` + a + `],"x":tru}` + "\n" + b, []string{a, `,"x":tru}`, b}},
		"two closing braces":          {a + "}\n" + b, []string{a, "}", b}},
		"not UTF-8":                   {"{\"x\":\"\xff\"}\n" + a, []string{"{\"x\":\"\xff\"}", a}},
		"NUL":                         {"{\"x\":\"\x00\"}\n\x00\n" + a, []string{"{\"x\":\"\x00\"}", "\x00", a}},
		"deep":                        {strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000) + "\n" + a, []string{strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000), a}},
		"several on a later line":     {b + "\n" + a + b + "\n" + a + " \t" + b + "\n" + b, []string{b, a, b, a, b, b}},
		"brace after brace in text":   {b + "\n" + `{"x":"}{"}` + "\n" + b, []string{b, `{"x":"}{"}`, b}},
		"own array, first object":     {`{"tenant_id":"t","records":[{"x":1}],"alert_id":"a"}`, []string{`{"tenant_id":"t","records":[{"x":1}],"alert_id":"a"}`}},
		"own array, last line":        {b + "\n" + `{"x":1,"results":[{"y":1}]}`, []string{b, `{"x":1,"results":[{"y":1}]}`}},
		"array of anything":           {`[null,` + a + `,1,"x"]` + "\n" + b, []string{"null", a, "1", `"x"`, b}},
		"broken word in an array":     {"[" + a + ",tru," + b + ",NaN]\n" + a, []string{a, "tru", b, "NaN", a}},
		"broken word in an envelope":  {`{"Records":[` + a + ",tru," + b + `]}`, []string{a, "tru", b}},
		"a line that only ends right": {a + "\n" + `{"x":{"y":1}` + "\n" + `,"z":2}` + "\n" + b, []string{a, `{"x":{"y":1}` + "\n" + `,"z":2}`, b}},
	} {
		if name == "half before a line" { // {"half":{…}} is whole but for its brace: the newline decides
			c.want = []string{`{"half":`, a, b}
		}
		t.Run(name, func(t *testing.T) {
			got, _ := cut(t, c.in, Options{})
			if !slices.Equal(got, c.want) {
				t.Errorf("%q\n got %q\nwant %q", c.in, got, c.want)
			}
		})
	}
}

func TestScanEnvelope(t *testing.T) {
	_, items := cut(t, `{"scan_id":"s-1","status":"completed","findings":[{"alert_id":"a"}],"attack_paths":[{"alert_id":"b"}]}`+"\n"+`{"alert_id":"c","status":"open"}`, Options{})
	var got []string
	for _, item := range items {
		got = append(got, item.ScanID+"/"+item.ScanStatus)
	}
	if want := []string{"s-1/completed", "s-1/completed", "/"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTooLong(t *testing.T) {
	long := strings.Repeat("é", 60)
	for name, in := range map[string]string{
		"line":    "short\n" + long + "\n{\"a\":1}",
		"object":  "short\n{\"x\":\"" + long + "\"\n{\"a\":1}",
		"element": "short\n[{\"x\":\"" + long + "\n{\"a\":1}",
	} {
		_, items := cut(t, in, Options{MaxRecordBytes: 101})
		if len(items) != 3 {
			t.Errorf("%s: %+v", name, items)
			continue
		}
		if items[1].Err == nil || len(items[1].Raw) < 98 || len(items[1].Raw) > 101 {
			t.Errorf("%s: %d bytes, %v", name, len(items[1].Raw), items[1].Err)
		}
		if items[2].Raw != `{"a":1}` {
			t.Errorf("%s: neighbour %q", name, items[2].Raw)
		}
	}
}

// TestTooLongLosesNoNeighbour: the end of a record that is too long to keep is looked for across reads.
func TestTooLongLosesNoNeighbour(t *testing.T) {
	long := `{"x":"` + strings.Repeat("]}y,\\\"", chunkBytes) + `","y":[{}]}`
	const a, b = `{"a":1}`, `{"b":2}`
	for name, c := range map[string]struct {
		in   string
		want []string // besides the long one, which is at 1
	}{
		"array":         {"[" + a + "," + long + "," + b + "]\n" + a, []string{a, b, a}},
		"envelope":      {`{"Records":[` + a + "," + long + "," + b + "]}", []string{a, b}},
		"lines":         {a + "\n" + long + "\n" + b + "\n" + a, []string{a, b, a}},
		"before a text": {a + "\n" + long + "\nx\ny", []string{a, "x", "y"}},
		"text":          {a + "\n" + strings.Repeat("x", len(long)) + "\ny\n" + b, []string{a, "y", b}},
		"without end":   {a + "\n" + long[:len(long)-1], []string{a}},
	} {
		t.Run(name, func(t *testing.T) {
			raws, items := cut(t, c.in, Options{MaxRecordBytes: 2*chunkBytes + 1})
			if len(items) < 2 || items[1].Err == nil {
				t.Fatalf("%d records, %.100q", len(items), raws)
			}
			if got := slices.Delete(raws, 1, 2); !slices.Equal(got, c.want) {
				t.Errorf("%.300q, want %q", got, c.want)
			}
		})
	}
}

// TestSlowReader: bytes that come singly cost no more than a copy of what waits for each time that it doubles.
func TestSlowReader(t *testing.T) {
	in := `{"x":"` + strings.Repeat("y", 4<<20) + `"}`
	start := measure.CPU(t)
	n := 0
	if err := Cut(iotest.OneByteReader(strings.NewReader(in)), Options{}, func(Item) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d records, %v", n, err)
	}
	if took := measure.CPU(t) - start; took > 5*time.Second { // more than a minute when each read looked at all of it
		t.Errorf("%v for 4 MiB", took)
	}
}

// TestHostilePayloads: nothing is looked through more often than its depth allows.
func TestHostilePayloads(t *testing.T) {
	for _, unit := range []string{`{"a":1}`, "\n[", `]{"a":[}`, `{"a":[`, "\n{", "{}\n\n", `{"records":[`, `{"scan_id":"`, `"{`, "\\", "}"} {
		for _, head := range []string{"", "{}\n", `{"x":` + "\n", `{"records":[`, `[{"x":"`} {
			in := head + strings.Repeat(unit, 512<<10/len(unit))
			start := measure.CPU(t)
			if err := Cut(strings.NewReader(in), Options{}, func(Item) error { return nil }); err != nil {
				t.Error(err)
			}
			if took := measure.CPU(t) - start; took > 5*time.Second {
				t.Errorf("%v for 512 KiB of %q behind %q", took, unit, head)
			}
		}
	}
}

func TestReaderBringsNothing(t *testing.T) {
	if err := Cut(readerFunc(func([]byte) (int, error) { return 0, nil }), Options{}, nil); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

func TestReaderFails(t *testing.T) {
	broken := errors.New("connection reset")
	var got []string
	err := Cut(io.MultiReader(strings.NewReader("{\"a\":1}\n{\"b\":2}\n{\"torn"), iotest.ErrReader(broken)), Options{}, func(item Item) error {
		got = append(got, item.Raw)
		return nil
	})
	if !errors.Is(err, broken) || !slices.Equal(got, []string{`{"a":1}`, `{"b":2}`}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestEmitFails(t *testing.T) {
	full := errors.New("full")
	n := 0
	err := Cut(strings.NewReader("[{},{},{}]"), Options{}, func(Item) error { n++; return full })
	if !errors.Is(err, full) || n != 1 {
		t.Errorf("%d records, %v", n, err)
	}
}

// TestMemory streams 200 MB in each shape and looks at the heap on the way.
func TestMemory(t *testing.T) {
	record := []byte(`{"alert_id":"f-1","description":"` + strings.Repeat("x", 1000) + `"}`)
	const records = 200_000
	for name, shape := range map[string]struct{ head, between, tail string }{
		"lines": {"", "\n", "\n"}, "array": {"[", ",", "]"}, "envelope": {`{"Records":[`, ",", "]}"},
	} {
		t.Run(name, func(t *testing.T) {
			written := 0
			r := readerFunc(func(p []byte) (int, error) {
				var b bytes.Buffer
				if written == 0 {
					b.WriteString(shape.head)
				}
				for b.Len()+len(record)+8 < len(p) && written < records {
					if written > 0 {
						b.WriteString(shape.between)
					}
					b.Write(record)
					if written++; written == records {
						b.WriteString(shape.tail)
					}
				}
				if b.Len() == 0 {
					return 0, io.EOF
				}
				return copy(p, b.Bytes()), nil
			})
			n, peak := 0, uint64(0)
			err := Cut(bufio.NewReaderSize(r, chunkBytes), Options{}, func(Item) error { // r needs room for a record
				if n++; n%20_000 == 0 {
					peak = max(peak, measure.Heap())
				}
				return nil
			})
			if err != nil || n != records {
				t.Errorf("%d records, %v", n, err)
			}
			if peak > 8<<20 {
				t.Errorf("%d KiB in use for a payload of 200 MB", peak>>10)
			}
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestWindows cuts records of all lengths out of reads of all lengths. Records that were kept are what they were, and say
// where they stood.
func TestWindows(t *testing.T) {
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var in strings.Builder
		var want []string
		array := seed%2 == 1
		if array {
			in.WriteString("[")
		}
		for in.Len() < 400_000 {
			if array && len(want) > 0 {
				in.WriteString(",")
			}
			limit := 3000 // short ones mostly, and a few of every length
			if rnd.IntN(20) == 0 {
				limit = 200_000
			}
			record := fmt.Sprintf(`{"n":%d,"x":"%s"}`, len(want), strings.Repeat("x", rnd.IntN(limit)))
			want = append(want, record)
			in.WriteString(record)
			if !array {
				in.WriteString("\n")
			}
		}
		if array {
			in.WriteString("]")
		}
		left := in.String()
		r := readerFunc(func(p []byte) (int, error) {
			if left == "" {
				return 0, io.EOF
			}
			n := copy(p[:1+rnd.IntN(len(p))], left)
			left = left[n:]
			return n, nil
		})
		var items []Item
		if err := Cut(r, Options{}, func(item Item) error { items = append(items, item); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(items) != len(want) {
			t.Fatalf("seed %d: %d records, want %d", seed, len(items), len(want))
		}
		for i, item := range items {
			if item.Raw != want[i] || !strings.HasPrefix(in.String()[item.Offset:], want[i]) {
				t.Fatalf("seed %d: record %d at %d is %.100q, want %.100q", seed, i, item.Offset, item.Raw, want[i])
			}
		}
	}
}

// TestParquet: a file that is no text is one record that says so, not one for each line end in it.
func TestParquet(t *testing.T) {
	in := strings.NewReader("PAR1\x15\x04\n" + strings.Repeat("\x00{\n", 100_000) + "PAR1")
	var items []Item
	if err := Cut(in, Options{}, func(item Item) error { items = append(items, item); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(items) != 1 || items[0].Err == nil || !strings.Contains(items[0].Err.Error(), "Parquet") || len(items[0].Raw) > maxRefused || in.Len() > 0 {
		t.Fatalf("%d records, %.300q, %v, %d bytes left", len(items), items[0].Raw, items[0].Err, in.Len())
	}
	for _, line := range []string{"PAR1", "PAR1 x", "PAR"} { // text
		if raws, items := cut(t, line, Options{}); len(raws) != 1 || raws[0] != line || items[0].Err != nil {
			t.Errorf("%q: %q", line, raws)
		}
	}
}

// FuzzCut: whatever comes, nothing but blanks and separators is lost, and a valid payload is cut as encoding/json cuts it.
func FuzzCut(f *testing.F) {
	for _, s := range []string{"{\"a\":1}\n{\"b\":2}", `[{"a":1},{"b":[2]}]`, `{"Records":[{"a":1}]}`, "x|y\n{\"half\":[\n{\"c\":\"\\\"\"}", "{\n\"a\":\n1}\n{}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		raws, _ := cut(t, in, Options{})
		rest := in
		if strings.Contains(in, logEvents) { // decoded
			return
		}
		for _, raw := range raws { // in order, and each a part of the input
			i := strings.Index(rest, raw)
			if i < 0 {
				t.Fatalf("%q: record %q is not in the input", in, raw)
			}
			rest = rest[i+len(raw):]
		}
		var want []string
		dec := json.NewDecoder(strings.NewReader(in))
		for {
			var v json.RawMessage
			if err := dec.Decode(&v); err == io.EOF {
				break
			} else if err != nil || v[0] != '{' {
				return
			}
			var members map[string]json.RawMessage
			if json.Unmarshal(v, &members) != nil {
				return
			}
			for _, name := range firstNames {
				if _, ok := members[name]; ok {
					return
				}
			}
			want = append(want, string(v))
		}
		if !slices.Equal(raws, want) && !strings.ContainsFunc(in, func(r rune) bool { return r == '\uFFFD' || r == '\uFEFF' }) && !strings.Contains(in, `\u`) {
			t.Fatalf("%q: %q, want %q", in, raws, want)
		}
	})
}

func BenchmarkCut(b *testing.B) {
	record := `{"alert_id":"f-1","description":"` + strings.Repeat("x", 1100) + `"}`
	const records = 1000
	for _, shape := range []struct{ name, in string }{
		{"lines", strings.Repeat(record+"\n", records)},
		{"array", "[" + strings.TrimSuffix(strings.Repeat(record+",", records), ",") + "]"},
	} {
		b.Run(shape.name, func(b *testing.B) {
			count := func() (n int) {
				if err := Cut(strings.NewReader(shape.in), Options{}, func(Item) error { n++; return nil }); err != nil {
					b.Fatal(err)
				}
				return n
			}
			if n := count(); n != records {
				b.Fatal(fmt.Sprint(n, " records"))
			}
			b.SetBytes(int64(len(shape.in)))
			b.ReportAllocs()
			for b.Loop() {
				count()
			}
		})
	}
}

const flowHeader = "account-id version interface-id srcaddr dstaddr log-status start end"

// TestHeader: a header line is no record; the lines behind it stand under it, up to the next one.
func TestHeader(t *testing.T) {
	const other = "version srcaddr dstaddr start end log-status"
	in := "2 a\n" + flowHeader + "\r\n1 b\n\n1 c\n" + other + "\n3 d"
	for format, want := range map[string][]string{
		"":             {"2 a|", "1 b|" + flowHeader, "1 c|" + flowHeader, "3 d|" + other},
		"aws.vpc_flow": {"2 a|", "1 b|" + flowHeader, "1 c|" + flowHeader, "3 d|" + other},
		"aws.alb":      {"2 a|", flowHeader + "|", "1 b|", "1 c|", other + "|", "3 d|"},
	} {
		var got []string
		_, items := cut(t, in, Options{Format: format})
		for _, item := range items {
			got = append(got, item.Raw+"|"+item.Fields)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", format, got, want)
		}
	}
}

// TestReadOn: a payload of lines that is read on from any record's End with its Fields gives the rest of the records.
func TestReadOn(t *testing.T) {
	in := flowHeader + "\n1 a\r\n\n2 b\n" + `{"x":1} {"y":2}` + "\n3 c\n" + "4 d"
	_, all := cut(t, in, Options{})
	if len(all) != 6 || !all[5].Open || all[4].Open {
		t.Fatalf("%+v", all)
	}
	for i, item := range all {
		if text := in[item.Offset:]; !strings.HasPrefix(text, item.Raw) || item.Inside {
			t.Errorf("%q is not at %d", item.Raw, item.Offset)
		}
		_, rest := cut(t, in[item.End:], Options{Fields: item.Fields})
		if len(rest) != len(all)-i-1 {
			t.Errorf("behind %q: %+v", item.Raw, rest)
		}
		for j := range rest {
			if want := all[i+1+j]; rest[j].Raw != want.Raw || rest[j].Fields != want.Fields || rest[j].Offset+item.End != want.Offset {
				t.Errorf("behind %q: %+v, want %+v", item.Raw, rest[j], want)
			}
		}
	}
}

func TestInside(t *testing.T) {
	in := `{"Records": [{"eventID":"1"} , {"eventID":"2"}]} {"a":1}`
	_, items := cut(t, in, Options{})
	if len(items) != 3 || !items[0].Inside || !items[1].Inside || items[2].Inside {
		t.Fatalf("%+v", items)
	}
	for _, item := range items {
		if !strings.HasPrefix(in[item.Offset:], item.Raw) || item.End != item.Offset+int64(len(item.Raw)) {
			t.Errorf("%+v", item)
		}
	}
}

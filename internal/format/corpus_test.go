package format_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/pipe"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema/panoptica"
)

var update = flag.Bool("update", false, "rewrite the goldens of testdata")

const testdata = "../../testdata"

// received is when all of the corpus is taken in.
var received = time.Unix(1700000000, 0).UTC()

// minCases is how many cases a format must have, minLogCases how many a log format, of which minInvalid are not valid.
const (
	minCases    = 12
	minLogCases = 15
	minInvalid  = 3
)

type corpusCase struct {
	format, path string // path without suffix
	raw          string
	fields       string // the header line that it stands under
}

func (c *corpusCase) name() string { return c.format + "/" + filepath.Base(c.path) }

func corpus(t testing.TB) []corpusCase {
	t.Helper()
	var cases []corpusCase
	for _, name := range format.Names() {
		paths, err := filepath.Glob(filepath.Join(testdata, name, "*.in"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(paths), minCases, name)
		if f, _ := format.Lookup(name); f.IsLog() {
			require.GreaterOrEqual(t, len(paths), minLogCases, name)
			invalid, err := filepath.Glob(filepath.Join(testdata, name, "invalid_*.in"))
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(invalid), minInvalid, name)
		}
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			c := corpusCase{format: name, path: strings.TrimSuffix(path, ".in"), raw: string(raw)}
			if fields, err := os.ReadFile(c.path + ".fields"); err == nil {
				c.fields = strings.TrimSpace(string(fields))
			}
			cases = append(cases, c)
		}
	}
	return cases
}

// parse reads a case as auto or, where no format claims it and its own takes it, as its own.
func (c *corpusCase) parse(p *format.Parser) (rec record.Record) {
	p.ParseIn(c.raw, format.Context{Fields: c.fields, Received: received}, &rec)
	if rec.Format == format.Auto {
		var own record.Record
		p.ParseIn(c.raw, format.Context{Format: c.format, Fields: c.fields, Received: received}, &own)
		if own.EventType != record.Invalid || c.isOwn() {
			return own
		}
	}
	return rec
}

// isOwn reports whether the case is a line or object of its format that no format claims, since it is broken where the
// format shows. The rest of such cases, garbage, is nobody's.
func (c *corpusCase) isOwn() bool {
	f, ok := format.Lookup(c.format)
	return ok && f.IsLog()
}

// golden is the facts beside the body in the order they are read in.
type golden struct {
	EventType   string          `json:"event_type"`
	AccountID   string          `json:"account_id"`
	TenantID    string          `json:"tenant_id"`
	Format      string          `json:"format"`
	ID          string          `json:"id"`
	Severity    string          `json:"severity"`
	Time        string          `json:"time"`
	Error       string          `json:"error"`
	Body        json.RawMessage `json:"body"`
	Disposition disposition     `json:"disposition"`
}

type disposition struct {
	Dismissed    bool      `json:"dismissed,omitempty"`
	Resolved     bool      `json:"resolved,omitempty"`
	Snoozed      bool      `json:"snoozed,omitempty"`
	SnoozedUntil time.Time `json:"snoozed_until,omitzero"`
}

// goldenOf lays a record out as its golden file. The body stands there byte for byte.
func goldenOf(t testing.TB, rec *record.Record) string {
	t.Helper()
	g := golden{
		EventType: rec.EventType, AccountID: rec.AccountID, TenantID: rec.TenantID, Format: rec.Format, ID: rec.ID,
		Severity: rec.Severity.String(), Error: rec.Error, Body: json.RawMessage(`"BODY"`),
		Disposition: disposition{rec.Disposition.Dismissed, rec.Disposition.Resolved, rec.Disposition.Snoozed, rec.Disposition.SnoozedUntil.UTC()},
	}
	if !rec.Time.IsZero() {
		g.Time = rec.Time.UTC().Format(time.RFC3339Nano)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	require.NoError(t, enc.Encode(g))
	return strings.Replace(out.String(), `"BODY"`, rec.Body, 1)
}

// keyOf is the object key of a record on its own, and messageOf its pipe message.
func keyOf(t testing.TB, rec *record.Record) string {
	o, err := objectstore.NewObject("Panoptica", new(objectstore.Days).PartitionOf(rec, time.Time{}), rec.EventTime(), objectstore.AppendLine(nil, rec.Body), objectstore.None)
	require.NoError(t, err)
	return o.Key + "\n"
}

func messageOf(t testing.TB, rec *record.Record) string {
	e, err := pipe.New(encode.Config{})
	require.NoError(t, err)
	message, _, _, err := e.Append(nil, nil, rec, jsonscan.Known{}, pipe.DefaultMaxLength)
	require.NoError(t, err)
	return string(message) + "\n"
}

func TestCorpusGoldens(t *testing.T) {
	p, err := format.NewParser(format.Options{})
	require.NoError(t, err)
	for _, c := range corpus(t) {
		t.Run(c.name(), func(t *testing.T) {
			rec := c.parse(p)
			files := map[string]string{".golden.json": goldenOf(t, &rec), ".key": keyOf(t, &rec), ".pipe": messageOf(t, &rec)}
			for _, beside := range p.Findings() {
				files[".finding.json"] = goldenOf(t, &beside)
			}
			require.LessOrEqual(t, len(p.Findings()), 1)
			assert.Equal(t, rec.EventType == "AWS.GuardDuty", len(p.Findings()) == 1)
			for suffix, got := range files {
				if *update {
					require.NoError(t, os.WriteFile(c.path+suffix, []byte(got), 0o644))
				}
				want, err := os.ReadFile(c.path + suffix)
				require.NoError(t, err)
				assert.Equal(t, string(want), got, suffix)
			}
		})
	}
}

// unclaimed are the cases that only their format's name makes records of it.
var unclaimed = []string{"aws.vpc_flow/more_than_the_header"}

// TestCorpusClaims: auto finds the format of every case that has one, and no other.
func TestCorpusClaims(t *testing.T) {
	p, err := format.NewParser(format.Options{})
	require.NoError(t, err)
	for _, c := range corpus(t) {
		var auto, own record.Record
		p.ParseIn(c.raw, format.Context{Fields: c.fields, Received: received}, &auto)
		p.ParseIn(c.raw, format.Context{Format: c.format, Fields: c.fields, Received: received}, &own)
		assert.NotContains(t, auto.Error, "claimed by both", c.name())
		if f, _ := format.Lookup(c.format); f.IsLog() && own.EventType != record.Invalid && !slices.Contains(unclaimed, c.name()) {
			assert.Equal(t, own, auto, c.name())
		}
		if auto.Format != format.Auto {
			assert.Equal(t, c.format, auto.Format, c.name())
		}
	}
}

// TestCorpusFindingsValidate holds every finding that comes out to the vendor's schema with an independent validator, and
// every record that we call invalid to being refused by it or by a rule of our own.
func TestCorpusFindingsValidate(t *testing.T) {
	schema := compileSchema(t)
	p, err := format.NewParser(format.Options{TenantID: "id-default"})
	require.NoError(t, err)
	findings := 0
	for _, c := range corpus(t) {
		rec := c.parse(p)
		recs := p.Findings()
		if c.format == "panoptica" && rec.EventType != record.Invalid {
			recs = []record.Record{rec}
		}
		for _, rec := range recs {
			findings++
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(rec.Body))
			require.NoError(t, err)
			assert.NoError(t, schema.Validate(value), c.name())
		}
	}
	assert.Greater(t, findings, minCases)
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(panoptica.Schema))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("finding.json", doc))
	schema, err := compiler.Compile("finding.json")
	require.NoError(t, err)
	return schema
}

// TestCorpusAgain: what comes out goes in again unchanged.
func TestCorpusAgain(t *testing.T) {
	p, err := format.NewParser(format.Options{})
	require.NoError(t, err)
	for _, c := range corpus(t) {
		rec := c.parse(p)
		if rec.EventType == record.Invalid {
			continue
		}
		for _, rec := range append([]record.Record{rec}, p.Findings()...) {
			var again record.Record
			p.Parse(rec.Body, rec.Format, received, &again)
			assert.Equal(t, rec, again, c.name())
			assert.Empty(t, p.Findings(), c.name())
			if f, _ := format.Lookup(rec.Format); f.IsLog() && rec.EventType != record.SecurityFinding {
				p.Parse(rec.Body, "", received, &again) // a row says itself what it is
				assert.Equal(t, rec, again, c.name())
			}
		}
	}
}

func TestCorpusHasAFolderForEachFormat(t *testing.T) {
	entries, err := os.ReadDir(testdata)
	require.NoError(t, err)
	var folders []string
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "fluentbit" { // the plugin's chunks
			folders = append(folders, entry.Name())
		}
	}
	names := format.Names()
	slices.Sort(names)
	assert.Equal(t, names, folders)
	for _, f := range format.Formats {
		assert.Regexp(t, `^https://`, f.Doc, f.Name)
		assert.NotEmpty(t, f.EventTypes, f.Name)
	}
}

// FuzzParse: whatever comes in, a record comes out whose body is one JSON object on one line that parses to itself, and
// a finding is one for the vendor's schema.
func FuzzParse(f *testing.F) {
	for _, c := range corpus(f) {
		f.Add(c.raw)
	}
	schema := compileSchema(f)
	p, err := format.NewParser(format.Options{TenantID: "id-default"})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw string) {
		for _, name := range append(format.Names(), format.Auto) {
			var rec, again record.Record
			p.Parse(raw, name, received, &rec)
			if strings.ContainsAny(rec.Body, "\n\r") || !json.Valid([]byte(rec.Body)) || rec.EventType == "" || rec.ID == "" {
				t.Fatalf("%q as %s: %+v", raw, name, rec)
			}
			if (rec.EventType == record.Invalid) != (rec.Error != "") {
				t.Fatalf("%q as %s: %+v", raw, name, rec)
			}
			if rec.EventType == record.Invalid {
				if !format.IsInvalidBody(rec.Body) {
					t.Fatalf("%q as %s: %s", raw, name, rec.Body)
				}
				continue
			}
			if p.Parse(rec.Body, rec.Format, received, &again); again != rec {
				t.Fatalf("%q as %s:\n%+v\nparsed again:\n%+v", raw, name, rec, again)
			}
			if rec.Format == "panoptica" {
				value, err := jsonschema.UnmarshalJSON(strings.NewReader(rec.Body))
				if err != nil {
					t.Fatal(err)
				}
				if err := schema.Validate(value); err != nil {
					t.Fatalf("%s: %v", rec.Body, err)
				}
			}
		}
	})
}

func BenchmarkParsePanoptica(b *testing.B) {
	raw := `{"labels":["Sensitive","Known Admin"],"alert_id":"f-0001-3e0af324-b2dd-4c24-b952-37457c5882e2","asset_id":"arn:aws:s3:::acme-data-lake-eu-central-1","provider":"AWS","resolved":false,"severity":"High","tenant_id":"id-1234","account_id":"111122223333","description":"` +
		strings.Repeat("A remote attacker may read every object of the bucket without any credentials. ", 6) +
		`","resource_type":"Storage","risk_category":"Data Exposure","detection_type":"security_finding","attack_scenario":"Publicly readable bucket","related_resources":[["arn:aws:s3:::acme-data-lake-eu-central-1","arn:aws:iam::111122223333:role/reader"]],"detection_timestamp":"2024-09-15T17:16:00Z","first_seen_timestamp":"2024-01-02T03:04:05Z"}`
	p, err := format.NewParser(format.Options{})
	require.NoError(b, err)
	var rec record.Record
	p.Parse(raw, "", received, &rec)
	if rec.Body != raw || rec.EventType != record.SecurityFinding || rec.AccountID != "111122223333" || rec.Severity != record.SeverityHigh {
		b.Fatalf("%+v", rec)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(raw, "", received, &rec)
	}
}

// TestParserRemembersNoValues parses records of a format one after the other: what the parser keeps of one, to be faster
// with the next, must not show in it.
func TestParserRemembersNoValues(t *testing.T) {
	byFormat := map[string][]corpusCase{}
	names := regexp.MustCompile(`"[a-zA-Z_-]+" ?:`)
	for _, c := range corpus(t) {
		byFormat[c.format] = append(byFormat[c.format], c)
		if places := names.FindAllStringIndex(c.raw, 3); len(places) == 3 && len(byFormat[c.format]) < 10 {
			from, to := places[2][0], places[2][1]
			for _, name := range []string{strings.ToUpper(c.raw[from:to]), `"other":`, `"p_other":`} {
				variant := c
				variant.raw = c.raw[:from] + name + c.raw[to:]
				byFormat[c.format] = append(byFormat[c.format], variant)
			}
		}
	}
	for name, cases := range byFormat {
		parse := func(p *format.Parser, c *corpusCase) (rec record.Record) {
			p.ParseIn(c.raw, format.Context{Format: name, Fields: c.fields, Received: received}, &rec)
			return rec
		}
		fresh := make([]record.Record, len(cases))
		for i := range cases {
			p, err := format.NewParser(format.Options{})
			require.NoError(t, err)
			fresh[i] = parse(p, &cases[i])
		}
		p, err := format.NewParser(format.Options{})
		require.NoError(t, err)
		for i := range cases {
			for j := range cases {
				for _, k := range [...]int{i, i, j, i, j, j} {
					if rec := parse(p, &cases[k]); rec != fresh[k] {
						t.Fatalf("%s: %s and %s: %+v\nwant %+v", name, cases[i].name(), cases[j].name(), rec, fresh[k])
					}
				}
			}
		}
	}
}

package format_test

import (
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
)

// TestScanFindings holds what each scan of the corpus becomes with scans_as_findings to <case>.finding.json, and that to
// the vendor's schema with an independent validator.
func TestScanFindings(t *testing.T) {
	schema := compileSchema(t)
	p, err := format.NewParser(format.Options{ScansAsFindings: true})
	require.NoError(t, err)
	plain, err := format.NewParser(format.Options{})
	require.NoError(t, err)
	findings := 0
	for _, c := range corpus(t) {
		t.Run(c.name(), func(t *testing.T) {
			rec, scan := c.parse(p), c.parse(plain)
			if scan.Format != "perception_point" && scan.Format != "perception_point_syslog" || scan.EventType == record.Invalid {
				assert.Equal(t, scan, rec, "only scans become findings")
				return
			}
			got := goldenOf(t, &rec)
			if *update {
				require.NoError(t, os.WriteFile(c.path+".finding.json", []byte(got), 0o644))
			}
			want, err := os.ReadFile(c.path + ".finding.json")
			require.NoError(t, err)
			assert.Equal(t, string(want), got)

			findings++
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(rec.Body))
			require.NoError(t, err)
			assert.NoError(t, schema.Validate(value))
			assert.Equal(t, record.SecurityFinding, rec.EventType)
			assert.Equal(t, scan.ID, rec.ID)
			assert.Equal(t, scan.Severity, rec.Severity)
			assert.Equal(t, scan.Time, rec.Time)
			assert.True(t, strings.HasSuffix(rec.Body, `,"scan":`+scan.Body+"}"), "the whole scan stays")

			var again record.Record
			for _, parser := range []*format.Parser{p, plain} {
				parser.Parse(rec.Body, rec.Format, received, &again)
				assert.Equal(t, rec, again, "a finding stays one")
			}
			again = record.Record{}
			p.Parse(rec.Body, "", received, &again) // replayed, without its attribute
			again.Format = rec.Format
			assert.Equal(t, rec, again)
		})
	}
	assert.Greater(t, findings, 2*minCases)
}

func TestVerdictSeverities(t *testing.T) {
	scan := func(verdict string) string {
		return `{"full_scan_id":"X_1_a","origin":"email","verbose_verdict":"` + verdict + `"}`
	}
	const line = `datetime:1612422455|Scan ID:a|Event:Email Scanned|Verdict:SUS|Sample:s`
	tests := []struct {
		name  string
		table map[string]string
		raw   string
		want  record.Severity
	}{
		{"malicious", nil, scan("MAL"), record.SeverityHigh},
		{"restricted", nil, scan("BLK"), record.SeverityHigh},
		{"suspicious", nil, scan("SUS"), record.SeverityMedium},
		{"spam", nil, scan("SPM"), record.SeverityLow},
		{"clean", nil, scan("CLN"), record.SeverityInformation},
		{"by its word", nil, scan("Malicious"), record.SeverityHigh},
		{"unknown has none", nil, scan("NEW"), record.SeverityUnknown},
		{"changed", map[string]string{"MAL": "Critical"}, scan("MAL"), record.SeverityCritical},
		{"changed by its word", map[string]string{"Malicious": "Critical"}, scan("MAL"), record.SeverityCritical},
		{"changed, read by its word", map[string]string{"MAL": "Critical"}, scan("Malicious"), record.SeverityCritical},
		{"others stay", map[string]string{"MAL": "Critical"}, scan("CLN"), record.SeverityInformation},
		{"taken away", map[string]string{"CLN": "none"}, scan("CLN"), record.SeverityUnknown},
		{"new code", map[string]string{"NEW": "Low"}, scan("NEW"), record.SeverityLow},
		{"all unknown", map[string]string{"unknown": "Medium"}, scan("NEW"), record.SeverityMedium},
		{"no verdict", map[string]string{"unknown": "Medium"}, `{"full_scan_id":"X_1_a","origin":"email"}`, record.SeverityMedium},
		{"unknown leaves the known", map[string]string{"unknown": "Medium"}, scan("CLN"), record.SeverityInformation},
		{"line", map[string]string{"SUS": "High"}, line, record.SeverityHigh},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, findings := range []bool{false, true} {
				p, err := format.NewParser(format.Options{ScansAsFindings: findings, VerdictSeverities: test.table})
				require.NoError(t, err)
				var rec record.Record
				p.Parse(test.raw, "", received, &rec)
				assert.Equal(t, test.want, rec.Severity, "%+v", rec)
				assert.Equal(t, findings && test.want != 0, strings.Contains(rec.Body, `"severity":"`+test.want.String()+`"`), rec.Body)
			}
		})
	}
	for _, table := range []map[string]string{{"MAL": "high"}, {"MAL": ""}, {"MAL": "High", "Malicious": "Low"}} {
		_, err := format.NewParser(format.Options{VerdictSeverities: table})
		assert.ErrorContains(t, err, "scan_severities: \"M")
	}
}

// TestScanFindingWithTenant: the tenant and the account only go into the finding where the schema takes them.
func TestScanFindingWithTenant(t *testing.T) {
	for _, c := range []struct{ tenant, organization, want, wantAccount string }{
		{"id-1", "4711", `"tenant_id":"id-1","account_id":"4711"`, "4711"},
		{"", strings.Repeat("é", 51), "", ""},
	} {
		p, err := format.NewParser(format.Options{TenantID: c.tenant, ScansAsFindings: true})
		require.NoError(t, err)
		var rec record.Record
		p.Parse(`{"full_scan_id":"X_1_a","organization_id":"`+c.organization+`","severity":7,"labels":"not ours"}`, "", received, &rec)
		assert.Equal(t, record.SecurityFinding, rec.EventType, rec.Error)
		assert.Equal(t, c.tenant, rec.TenantID)
		assert.Equal(t, c.wantAccount, rec.AccountID)
		assert.Contains(t, rec.Body, c.want)
	}
}

// TestScanTooDeep: a scan that is as deep as one may be has no room in a finding, and is kept whole as invalid.
func TestScanTooDeep(t *testing.T) {
	raw := `{"full_scan_id":"X_1_a","x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`
	for findings, want := range map[bool]string{false: record.Other, true: record.Invalid} {
		p, err := format.NewParser(format.Options{ScansAsFindings: findings})
		require.NoError(t, err)
		var rec record.Record
		p.Parse(raw, "", received, &rec)
		assert.Equal(t, want, rec.EventType)
		if findings {
			assert.Contains(t, rec.Error, "nested deeper")
		}
	}
}

func FuzzScanFinding(f *testing.F) {
	for _, c := range corpus(f) {
		f.Add(c.raw)
	}
	schema := compileSchema(f)
	p, err := format.NewParser(format.Options{ScansAsFindings: true, VerdictSeverities: map[string]string{"unknown": "Low"}})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw string) {
		var rec, again record.Record
		p.Parse(raw, "", received, &rec)
		if rec.EventType == record.Invalid || !strings.Contains(rec.Body, `"scan":`) {
			return
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(rec.Body))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Fatalf("%s: %v", rec.Body, err)
		}
		if p.Parse(rec.Body, rec.Format, received, &again); again != rec {
			t.Fatalf("%+v\nparsed again:\n%+v", rec, again)
		}
	})
}

func BenchmarkScanFinding(b *testing.B) {
	raw, err := os.ReadFile(testdata + "/perception_point/email_full.in")
	require.NoError(b, err)
	p, err := format.NewParser(format.Options{ScansAsFindings: true})
	require.NoError(b, err)
	text := string(raw)
	var rec record.Record
	p.Parse(text, "", received, &rec)
	if rec.EventType != record.SecurityFinding || rec.Severity != record.SeverityHigh || rec.AccountID != "4711" {
		b.Fatalf("%+v", rec)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(text, "", received, &rec)
	}
}

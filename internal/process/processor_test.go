package process

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process/suppress"
	"github.com/siempipe/siempipe/internal/record"
)

const finding = `{"alert_id":"f-1","severity":"High","detection_type":"security_finding"}`

func newProcessor(t *testing.T, opts Options) *Processor {
	t.Helper()
	p, err := New(opts)
	require.NoError(t, err)
	return p
}

// outcomes processes a text and says in a few words what became of it.
func outcomes(p *Processor, text Text) (all []string) {
	p.Start(&text)
	for out := p.Next(); out != nil; out = p.Next() {
		p.Decide(out, nil, time.Unix(1, 0))
		says := [...]string{Whole: "", Part: "part ", Finding: "finding "}[out.Kind] + out.Record.EventType
		if out.Record.EventType == record.Other {
			says += " " + out.Record.ID
		}
		if out.Dropped != "" {
			says = strings.TrimPrefix(says+" ", " ") + "dropped: " + out.Dropped
		}
		all = append(all, says)
	}
	return all
}

func guardDuty(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile("../../testdata/aws.guardduty/" + name + ".in")
	require.NoError(t, err)
	return strings.TrimSpace(string(raw))
}

func TestOutcomes(t *testing.T) {
	brute, archived := guardDuty(t, "ssh_brute_force"), guardDuty(t, "archived")
	const scan = `{"full_scan_id":"X_1_a","origin":"email","verbose_verdict":"MAL"}`
	for _, c := range []struct {
		name string
		opts Options
		text Text
		want []string
	}{
		{"a finding", Options{}, Text{Raw: finding}, []string{"security_finding"}},
		{"blanks", Options{}, Text{Raw: " \t\r\n"}, []string{"dropped: empty"}},
		{"nothing", Options{}, Text{}, []string{"dropped: empty"}},
		{"no record", Options{}, Text{Raw: "words"}, []string{"invalid"}},
		{"no record, dropped", Options{DropInvalid: true}, Text{Raw: "words"}, []string{"invalid dropped: invalid"}},
		{"broken", Options{}, Text{Raw: finding, Broken: "torn"}, []string{"invalid"}},
		{"broken and blank", Options{}, Text{Raw: " ", Broken: "torn"}, []string{"invalid"}},
		{"known", Options{}, Text{Raw: "words", Known: &record.Record{EventType: record.Other, ID: "k"}}, []string{"other k"}},
		{"a finding of a log", Options{}, Text{Raw: brute}, []string{"AWS.GuardDuty", "finding security_finding"}},
		{"a dismissed one", Options{Exclude: Exclude{Dismissed: true}}, Text{Raw: archived}, []string{"AWS.GuardDuty", "finding security_finding dropped: dismissed"}},
		{"findings in a file", Options{}, Text{Raw: `{"Findings":[` + brute + `,` + brute + `]}`},
			[]string{"part AWS.GuardDuty", "finding security_finding", "part AWS.GuardDuty", "finding security_finding"}},
		{"a scan", Options{}, Text{Raw: scan}, []string{"email_scan"}},
		{"a scan as a finding", Options{Parsing: format.Options{ScansAsFindings: true}}, Text{Raw: scan}, []string{"security_finding"}},
		{"a joined scan as a finding", Options{JoinScans: true, Parsing: format.Options{ScansAsFindings: true}}, Text{Raw: scan}, []string{"security_finding"}},
	} {
		assert.Equal(t, c.want, outcomes(newProcessor(t, c.opts), c.text), c.name)
	}
	_, err := New(Options{Parsing: format.Options{Format: "none"}})
	assert.ErrorContains(t, err, `"none"`)
}

// TestJoinedScans: between Next and Decide a scan is a scan, and may be replaced.
func TestJoinedScans(t *testing.T) {
	p := newProcessor(t, Options{JoinScans: true, Parsing: format.Options{ScansAsFindings: true}})
	received := time.Unix(7, 0)
	p.Start(&Text{Raw: `{"full_scan_id":"X_1_a","origin":"email"}`, Context: format.Context{Received: received}})
	out := p.Next()
	require.Equal(t, record.EmailScan, out.Record.EventType)
	p.Reparse(out, format.JoinedScan(out.Record.Body, []string{"truncated"}, "the line"))
	require.Equal(t, record.EmailScan, out.Record.EventType)
	p.Decide(out, nil, received)
	assert.Equal(t, record.SecurityFinding, out.Record.EventType)
	assert.Contains(t, out.Record.Body, "the line")
	assert.Equal(t, received, out.Record.Received)
	assert.Nil(t, p.Next())
}

func TestInvalidRecords(t *testing.T) {
	for _, c := range []struct {
		text Text
		want string // format
	}{
		{Text{Raw: "x", Broken: "torn"}, "aws.cloudtrail"},
		{Text{Raw: "x", Broken: "torn", Context: format.Context{Format: "aws.alb"}}, "aws.alb"},
		{Text{Raw: `{"Records":[7]}`}, "aws.cloudtrail"},
	} {
		p := newProcessor(t, Options{Parsing: format.Options{Format: "aws.cloudtrail"}})
		p.Start(&c.text)
		out := p.Next()
		assert.Equal(t, record.Invalid, out.Record.EventType)
		assert.Equal(t, c.want, out.Record.Format)
		assert.NotEmpty(t, out.Record.Error)
	}
}

// TestSuppressions: findings and parts are matched like the text itself.
func TestSuppressions(t *testing.T) {
	list, err := suppress.Parse([]byte("suppressions: [{name: known, reason: test, expires: never, match: {alert_id: f-1}}]"))
	require.NoError(t, err)
	for mark, want := range map[bool]string{false: ReasonSuppressed, true: ""} {
		p := newProcessor(t, Options{MarkSuppressed: mark})
		for _, raw := range []string{finding, `{"findings":[` + finding + `]}`} {
			p.Start(&Text{Raw: raw})
			out := p.Next()
			p.Decide(out, list, time.Unix(1, 0))
			assert.Equal(t, want, out.Dropped)
			assert.Equal(t, "known", out.Rule)
		}
	}
}

// TestStartForgets: what a caller did not ask for is not part of the next text, and nothing is left after Release.
func TestStartForgets(t *testing.T) {
	p := newProcessor(t, Options{})
	p.Start(&Text{Raw: `{"findings":[{"alert_id":"f-1"},{"alert_id":"f-2"}]}`})
	require.NotNil(t, p.Next())
	assert.Equal(t, []string{"other f-3"}, outcomes(p, Text{Raw: `{"alert_id":"f-3"}`}))
	p.Start(&Text{Raw: guardDuty(t, "ssh_brute_force")})
	require.NotNil(t, p.Next())
	p.Release()
	assert.Nil(t, p.Next())
	assert.Equal(t, Outcome{}, p.out)
}

// TestNoAllocations: a record in canonical form costs none.
func TestNoAllocations(t *testing.T) {
	p := newProcessor(t, Options{Exclude: Exclude{Dismissed: true, Snoozed: true}})
	text := Text{Raw: finding, Context: format.Context{Format: "panoptica"}}
	now := time.Unix(1, 0)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		p.Start(&text)
		for out := p.Next(); out != nil; out = p.Next() {
			p.Decide(out, nil, now)
		}
	}))
}

func BenchmarkProcessor(b *testing.B) {
	p, err := New(Options{Exclude: Exclude{Dismissed: true, Snoozed: true}})
	require.NoError(b, err)
	text := Text{Raw: finding}
	now := time.Unix(1, 0)
	p.Start(&text)
	require.Equal(b, "f-1", p.Next().Record.ID)
	b.SetBytes(int64(len(finding)))
	b.ReportAllocs()
	for b.Loop() {
		p.Start(&text)
		for out := p.Next(); out != nil; out = p.Next() {
			p.Decide(out, nil, now)
		}
	}
}

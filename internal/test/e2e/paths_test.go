package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/harness"
)

// fast makes files within a second instead of a minute.
const fast = "    sending_queue: {batch: {flush_timeout: 500ms}}\n"

func directoryExporter(dir string) string {
	return fmt.Sprintf("  panoptica_s3:\n    directory: %s\n%s", dir, fast)
}

// postCorpus posts every case and returns what must come out.
func postCorpus(t *testing.T, r *running) (all []harness.Expected, kept int) {
	t.Helper()
	cases, err := harness.Corpus("../../../testdata")
	require.NoError(t, err)
	now := time.Now()
	for i := range cases {
		c := &cases[i]
		expected, err := c.Expect(now)
		require.NoError(t, err)
		a := r.post(t, c.PostFormat(), c.Input)
		posted := 0
		for _, e := range expected {
			if !e.Beside {
				posted++
			}
		}
		assert.Equal(t, posted, a.Accepted, c.Name)
		for _, e := range expected {
			if e.Dropped == "" {
				kept++
			}
		}
		all = append(all, expected...)
	}
	return all, kept
}

func TestCorpusToDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	r := start(t, []string{"panoptica_s3"}, directoryExporter(dir))
	all, kept := postCorpus(t, r)
	r.waitSent(t, "panoptica_s3", kept)
	objects, err := harness.Tree(dir)
	require.NoError(t, err)
	_, problems := harness.Compare(all, objects, "Panoptica", true)
	for _, p := range problems {
		t.Error(p)
	}
	checkNames(t, "Panoptica", "none", objects)
	checkFindings(t, objects)
}

var suffixes = map[string]string{"none": "", "gzip": `\.gz`, "zstd": `\.zst`}

// checkNames holds the keys to their form; the file's name is the first record's time and the hash of the content.
func checkNames(t *testing.T, root, compression string, objects []harness.Object) {
	t.Helper()
	form := `^` + root + `/[A-Za-z0-9._-]+/\d{4}-\d\d-\d\d/[A-Za-z0-9._-]+/\d{8}T\d{6}Z-([0-9a-f]{32})\.json` + suffixes[compression] + `$`
	for i := range objects {
		match := regexp.MustCompile(form).FindStringSubmatch(objects[i].Key)
		if match == nil {
			t.Errorf("%s is not of the form %s", objects[i].Key, form)
			continue
		}
		sum := sha256.Sum256([]byte(strings.Join(objects[i].Lines, "\n") + "\n"))
		assert.Equal(t, hex.EncodeToString(sum[:16]), match[1], objects[i].Key)
	}
}

// checkFindings validates each emitted finding against the vendor's schema with a validator that is not ours.
func checkFindings(t *testing.T, objects []harness.Object) {
	t.Helper()
	text, err := os.Open("../../schema/panoptica/schema.json")
	require.NoError(t, err)
	defer text.Close()
	doc, err := jsonschema.UnmarshalJSON(text)
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("schema.json", doc))
	schema, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	n := 0
	for i := range objects {
		switch objects[i].Segments()[1] {
		case record.SecurityFinding, record.AttackPath, record.Other:
		default:
			continue
		}
		for _, line := range objects[i].Lines {
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			require.NoError(t, err)
			assert.NoError(t, schema.Validate(value), line)
			n++
		}
	}
	assert.Positive(t, n, "no finding was checked")
}

func TestDecisions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	r := start(t, []string{"panoptica_s3"}, directoryExporter(dir))
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	tests := []struct {
		id, decision string
		kept         bool
	}{
		{"open", `"resolved":false`, true},
		{"dismissed-status", `"status":"DISMISSED"`, false},
		{"dismissed-flag", `"isDismissed":true`, false},
		{"dismissed-no", `"dismissed":false`, true},
		{"snoozed-tomorrow", `"snoozed_until":"` + at(24*time.Hour) + `"`, false},
		{"snoozed-yesterday", `"snoozed_until":"` + at(-24*time.Hour) + `"`, true},
		{"snoozed-for-ever", `"State":"snoozed"`, false},
		{"resolved", `"resolved":true`, true},
	}
	var bodies []string
	kept := 0
	for _, test := range tests {
		bodies = append(bodies, `{"alert_id":"`+test.id+`","detection_type":"security_finding",`+test.decision+`}`)
		if test.kept {
			kept++
		}
	}
	r.post(t, "", `{"scan_id":"scan-1","status":"completed","findings":[`+strings.Join(bodies, ",")+`]}`)
	r.waitSent(t, "panoptica_s3", kept)
	objects, err := harness.Tree(dir)
	require.NoError(t, err)
	var lines string
	for i := range objects {
		lines += strings.Join(objects[i].Lines, "\n") + "\n"
	}
	for _, test := range tests {
		assert.Equal(t, test.kept, strings.Contains(lines, `"alert_id":"`+test.id+`"`), test.id)
	}
	m, err := harness.Scrape("http://" + r.metrics + "/metrics")
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"dismissed": 2, "snoozed": 2, "scan_event": 1}, m.By("otelcol_processor_siem_records_dropped", "reason"))
	for _, own := range []struct{ metric, kind, id string }{ // each instance has its own, as in the Collector's metrics
		{"otelcol_receiver_findings_requests", "receiver", "findings"},
		{"otelcol_processor_siem_records_in", "processor", "siem"},
		{"otelcol_exporter_panoptica_s3_objects", "exporter", "panoptica_s3"},
	} {
		all := m.Sum(own.metric)
		assert.Positive(t, all, own.metric)
		assert.Equal(t, all, m.Sum(own.metric, own.kind, own.id), own.metric)
	}
}

// maxMessage is the exporter's default max_message_length, in bytes.
const maxMessage = 1024

func TestCorpusToSyslog(t *testing.T) {
	listener, err := harness.Listen("127.0.0.1:0", nil)
	require.NoError(t, err)
	defer listener.Close()
	r := start(t, []string{"pipe_syslog"}, fmt.Sprintf("  pipe_syslog:\n    endpoint: %s\n    tls: {insecure: true}\n%s", listener.Addr(), fast))
	all, _ := postCorpus(t, r)
	want := 0
	for _, e := range all {
		if e.Dropped == "" && e.EventType != record.Invalid {
			want++
		}
	}
	var messages []string
	waitFor(t, func() bool {
		var errs []error
		messages, errs = listener.Messages()
		require.Empty(t, errs)
		return len(messages) >= want
	}, func() string { return fmt.Sprintf("%d messages, want %d", len(messages), want) })
	require.Len(t, messages, want)
	for _, m := range messages {
		assert.LessOrEqual(t, len(m), maxMessage, m)
		assert.False(t, strings.ContainsFunc(m, func(r rune) bool { return r < ' ' }), "%q holds a control", m)
	}

	cases, err := harness.Corpus("../../../testdata")
	require.NoError(t, err)
	for i := range cases {
		c := &cases[i]
		expected, err := c.Expect(time.Now())
		require.NoError(t, err)
		// Several records of one case, and those that are shortened to fit beside the header, are not the golden's message.
		if len(expected) != 1 || expected[0].Dropped != "" || expected[0].EventType == record.Invalid || len(c.Message) > maxMessage-100 {
			continue
		}
		if strings.HasPrefix(c.Message, "datetime:1700000000|Row ID:") {
			continue // a row without a time of its own has that of its arrival
		}
		want := parsedAt(c.Message)
		found := slices.ContainsFunc(messages, func(m string) bool { return strings.HasSuffix(parsedAt(m), " "+want) })
		assert.True(t, found, "%s: no message ends with %s", c.Name, c.Message)
	}
}

var parsed = regexp.MustCompile(`\|Parsed:[0-9:. -]+`)

// parsedAt takes the time at which a row was parsed out of its message.
func parsedAt(message string) string { return parsed.ReplaceAllString(message, "|Parsed:") }

func TestSeedLineToSyslog(t *testing.T) {
	line, err := os.ReadFile("../../../testdata/perception_point_syslog/seed.in")
	require.NoError(t, err)
	seed := strings.TrimSpace(string(line))
	listener, err := harness.Listen("127.0.0.1:0", nil)
	require.NoError(t, err)
	defer listener.Close()
	r := start(t, []string{"pipe_syslog"}, fmt.Sprintf("  pipe_syslog:\n    endpoint: %s\n    tls: {insecure: true}\n%s", listener.Addr(), fast))
	r.post(t, "perception_point_syslog", seed)
	var messages []string
	waitFor(t, func() bool {
		var errs []error
		messages, errs = listener.Messages()
		require.Empty(t, errs)
		return len(messages) > 0
	}, func() string { return "no message" })
	require.Len(t, messages, 1)
	_, body, ok := strings.Cut(messages[0], "datetime:")
	require.True(t, ok, messages[0])
	// What the line says, read by hand from the vendor's page: eleven fields, one with a pipe in it.
	want := [][2]string{
		{"datetime", "1612422455.63"}, {"Scan ID", "000176_1_3e0af324-b2dd-4c24-b952-37457c5882e2"}, {"Event", "Email Scanned"},
		{"IP Address", "1.2.3.4"}, {"Subject", "Just Landed | New season femininity + Final sale reductions"},
		{"Message ID", "51e28gbf95n7d2650e0hphroitr3rmefedmftg01"}, {"To", "harold@acme.com"}, {"From", " Sender <sender@domain.com>"},
		{"Layers", ""}, {"Verdict", "SUS"}, {"Sample", "<3a1a1ddf-b20b-4536-904a5d376d9eb38c@journal.report.generator>"},
	}
	got := splitPairs("datetime:" + body)
	assert.Equal(t, trimPairs(want), trimPairs(got))
}

// splitPairs splits at each pipe that no backslash stands before, and at the first colon: what a SIEM's parser does.
func splitPairs(message string) [][2]string {
	var pairs [][2]string
	var pair strings.Builder
	end := func() {
		key, value, _ := strings.Cut(pair.String(), ":")
		pairs = append(pairs, [2]string{key, value})
		pair.Reset()
	}
	for i := 0; i < len(message); i++ {
		switch c := message[i]; {
		case c == '\\' && i+1 < len(message):
			i++
			pair.WriteByte(message[i])
		case c == '|':
			end()
		default:
			pair.WriteByte(c)
		}
	}
	end()
	return pairs
}

// trimPairs: blanks around a value and keys without one carry nothing.
func trimPairs(pairs [][2]string) map[string]string {
	m := map[string]string{}
	for _, p := range pairs {
		if v := strings.TrimSpace(p[1]); v != "" {
			m[p[0]] = v
		}
	}
	return m
}

package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/siempipe/siempipe/internal/detect/sigma"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Test is one test of a rule, under its key tests:
//
//	tests:
//	  - name: root signs in
//	    log: {eventName: ConsoleLogin, userIdentity: {type: Root}}   # or a JSON text
//	    matches: true
//	    title: ...        # what a match is to have; each may be left out
//	    dedup: ...
//	    severity: high
//	    context: {...}
//	  - name: ten within ten minutes
//	    logs: [...]       # in order; what matches are counted, with the rule's threshold and windows
//	    repeat: 10        # of logs, with one second from one to the next; 1 when left out
//	    findings: 1
type Test struct {
	Name     string
	Line     int
	LogType  string // the first of the rule's log source when left out
	Logs     []string
	Repeat   int
	Matches  *bool
	Findings *int
	Title    *string
	Dedup    *string
	Severity *string
	Context  *string // JSON
}

// ParseTests reads the tests of a rule.
func ParseTests(r *sigma.Rule) (tests []Test, problems []sigma.Problem) {
	if r.Tests == nil {
		return nil, nil
	}
	bad := func(n *yaml.Node, format string, args ...any) {
		problems = append(problems, sigma.Problem{File: r.File, Line: n.Line, Rule: r.Title, Msg: "tests: " + fmt.Sprintf(format, args...)})
	}
	if r.Tests.Kind != yaml.SequenceNode {
		bad(r.Tests, "want a list")
		return nil, problems
	}
	for _, n := range r.Tests.Content {
		if n.Kind != yaml.MappingNode {
			bad(n, "want a list of {name, log, matches}")
			continue
		}
		t := Test{Line: n.Line, Repeat: 1}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i].Value, n.Content[i+1]
			var err error
			switch key {
			case "name":
				t.Name = value.Value
			case "log_type":
				t.LogType = value.Value
			case "log":
				var text string
				text, err = logText(value)
				t.Logs = append(t.Logs, text)
			case "logs":
				for _, entry := range value.Content {
					var text string
					if text, err = logText(entry); err != nil {
						break
					}
					t.Logs = append(t.Logs, text)
				}
			case "repeat":
				err = value.Decode(&t.Repeat)
			case "matches":
				err = value.Decode(&t.Matches)
			case "findings":
				err = value.Decode(&t.Findings)
			case "title":
				t.Title = &value.Value
			case "dedup":
				t.Dedup = &value.Value
			case "severity":
				t.Severity = &value.Value
			case "context":
				var text string
				text, err = logText(value)
				t.Context = &text
			default:
				err = fmt.Errorf("unknown key")
			}
			if err != nil {
				bad(value, "%s: %v", key, err)
			}
		}
		switch {
		case t.Name == "":
			bad(n, "name: required")
		case len(t.Logs) == 0:
			bad(n, "%s: log: required", t.Name)
		case t.Matches == nil && t.Findings == nil:
			bad(n, "%s: matches: required", t.Name)
		case t.Repeat < 1 || t.Repeat > maxThreshold:
			bad(n, "%s: repeat: want 1 to %d", t.Name, maxThreshold)
		}
		tests = append(tests, t)
	}
	return tests, problems
}

// logText is a record as JSON: a text as it is, anything else of YAML converted.
func logText(n *yaml.Node) (string, error) {
	if n.Kind == yaml.ScalarNode {
		text := strings.TrimSpace(n.Value)
		_, _, err := jsonscan.Members(nil, text)
		return text, err
	}
	dst, err := appendYAML(nil, n, 0)
	return string(dst), err
}

// maxLog is the longest record of a test, in bytes: aliases can multiply a short text.
const maxLog = 1 << 20

// appendYAML appends a YAML value as JSON, keys in their order.
func appendYAML(dst []byte, n *yaml.Node, depth int) ([]byte, error) {
	if depth > jsonscan.MaxDepth {
		return dst, fmt.Errorf("line %d: nested deeper than %d", n.Line, jsonscan.MaxDepth)
	}
	if len(dst) > maxLog {
		return dst, fmt.Errorf("line %d: longer than %d bytes", n.Line, maxLog)
	}
	var err error
	switch n.Kind {
	case yaml.AliasNode:
		return appendYAML(dst, n.Alias, depth+1)
	case yaml.MappingNode:
		dst = append(dst, '{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(jsonscan.AppendQuoted(dst, n.Content[i].Value), ':')
			if dst, err = appendYAML(dst, n.Content[i+1], depth+1); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, entry := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendYAML(dst, entry, depth+1); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
	switch n.Tag {
	case "!!null":
		return append(dst, "null"...), nil
	case "!!bool":
		return strconv.AppendBool(dst, strings.EqualFold(n.Value, "true")), nil
	case "!!int", "!!float":
		if jsonscan.Valid(n.Value) == nil {
			return append(dst, n.Value...), nil
		}
	}
	return jsonscan.AppendQuoted(dst, n.Value), nil
}

// Failure is a test that did not come out as it says.
type Failure struct {
	Rule *Rule
	Test Test
	Diff string // "field: got ..., want ..." lines
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s:%d: %s: test %q:\n    %s", f.Rule.File, f.Test.Line, f.Rule.Title, f.Test.Name, strings.ReplaceAll(f.Diff, "\n", "\n    "))
}

// RunTests runs the tests of a rule of the set and returns how many there were and which failed.
func (s *RuleSet) RunTests(r *Rule) (n int, failures []Failure, problems []sigma.Problem) {
	tests, problems := ParseTests(r.Rule)
	if len(problems) > 0 {
		return 0, nil, problems
	}
	for _, t := range tests {
		if diff := s.runTest(r, &t); diff != "" {
			failures = append(failures, Failure{r, t, diff})
		}
	}
	return len(tests), failures, nil
}

// logType is the log type of a rule's tests.
func (s *RuleSet) logType(r *Rule) string {
	if r.Correlation != nil {
		for _, other := range s.byEntry {
			if r.Correlation.Refers(other.Rule) {
				return s.logType(other)
			}
		}
		return ""
	}
	for _, t := range s.mapping.LogTypes(r.LogSource) {
		return strings.TrimSuffix(t, "*")
	}
	return ""
}

func (s *RuleSet) runTest(r *Rule, t *Test) string {
	logType := t.LogType
	if logType == "" {
		logType = s.logType(r)
	}
	if logType == "" {
		return "log source " + r.LogSource.String() + " is mapped to no log type"
	}
	now := time.Now()
	d := NewDetector(NewWindows(Limits{}, func() time.Time { return now }))
	d.Use(s)
	w := d.NewWorker()
	w.all = true
	var first *Match
	findings := 0
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range t.Repeat {
		for j, body := range t.Logs {
			rec := record.Record{Body: body, EventType: logType, Received: at, ID: fmt.Sprintf("%d.%d", i, j), Time: EventTime(body)}
			if t.Repeat > 1 || rec.Time.IsZero() { // copies come one second after the other
				rec.Time = at
			}
			at = at.Add(time.Second)
			matches := w.Match(&rec)
			for k := range matches {
				m := &matches[k]
				if m.Rule != r {
					continue
				}
				if first == nil {
					copied := *m
					first = &copied
				}
				b := d.Begin()
				var out record.Record
				if b.Add(m, &out) {
					findings++
				}
				b.Commit(nil)
			}
		}
	}
	var diff []string
	differ := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			diff = append(diff, fmt.Sprintf("%s: got  %v\n%s  want %v", what, got, strings.Repeat(" ", len(what)), want))
		}
	}
	if t.Matches != nil {
		differ("matches", first != nil, *t.Matches)
	}
	if t.Findings != nil {
		differ("findings", findings, *t.Findings)
	}
	if first == nil {
		if len(diff) == 0 && (t.Title != nil || t.Dedup != nil || t.Severity != nil || t.Context != nil) {
			diff = append(diff, "nothing matches, so there is no title, dedup, severity or context")
		}
		return strings.Join(diff, "\n")
	}
	if t.Title != nil {
		differ("title", first.Title, *t.Title)
	}
	if t.Dedup != nil {
		differ("dedup", first.Dedup, *t.Dedup)
	}
	if t.Severity != nil {
		differ("severity", first.Level, levels[strings.ToLower(*t.Severity)])
	}
	if t.Context != nil {
		got := string(r.context.appendJSON(nil, first.fields, first.rec.Body))
		if !sameJSON(got, *t.Context) {
			differ("context", got, *t.Context)
		}
	}
	return strings.Join(diff, "\n")
}

func sameJSON(x, y string) bool {
	var a, b any
	decode := func(text string, to *any) error {
		dec := json.NewDecoder(bytes.NewReader([]byte(text)))
		dec.UseNumber()
		return dec.Decode(to)
	}
	return decode(x, &a) == nil && decode(y, &b) == nil && reflect.DeepEqual(a, b)
}

// timePaths are where records of log types say when they happened.
var timePaths = [][]string{{"p_event_time"}, {"eventTime"}, {"time"}, {"timestamp"}, {"receiveTimestamp"}, {"updatedAt"}, {"query_timestamp"}, {"start"}}

// EventTime reads the time of a record that did not go through the siem processor, zero when it has none.
func EventTime(body string) time.Time {
	for _, path := range timePaths {
		for _, v := range sigma.Lookup(nil, body, path...) {
			for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999"} {
				if t, err := time.Parse(layout, v.Text()); err == nil {
					return t
				}
			}
		}
	}
	return time.Time{}
}

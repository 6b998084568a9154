package detect

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/siempipe/siempipe/internal/detect/sigma"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema/panoptica"
)

// ruleSet compiles rules that have no problems.
func ruleSet(t testing.TB, text string) *RuleSet {
	t.Helper()
	parsed, problems := sigma.Parse("test.yml", []byte(text))
	set, more := NewRuleSet(parsed, sigma.Builtin())
	for _, p := range append(problems, more...) {
		t.Fatal(p.Error())
	}
	return set
}

// detectorOf has the rules in force.
func detectorOf(t testing.TB, text string) *Detector {
	t.Helper()
	d := NewDetector(NewWindows(Limits{}, time.Now))
	d.Use(ruleSet(t, text))
	return d
}

// send counts a record and returns the bodies of the findings.
func send(d *Detector, w *Worker, rec record.Record) (findings []record.Record, errors []string) {
	matches := w.Match(&rec)
	b := d.Begin()
	defer b.Commit(nil)
	for i := range matches {
		errors = append(errors, matches[i].Errors...)
		var f record.Record
		if b.Add(&matches[i], &f) {
			findings = append(findings, f)
		}
	}
	return findings, errors
}

const head = "title: T\nname: rule-name\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventName: A}, condition: s}\n"

func TestTemplates(t *testing.T) {
	record := `{"eventName":"A","a":"x/y/z","n":1.50,"b":true,"o":{"k":"v"},"l":["p","q"],"null":null,"empty":"","esc":"a\"b\u00e9","UP":"Up"}`
	tests := []struct {
		template, want, err string
	}{
		{"plain", "plain", ""},
		{"[{a}]", "[x/y/z]", ""},
		{"{n} {b} {o} {l}", `1.50 true {"k":"v"} ["p","q"]`, ""},
		{"{o.k}", "v", ""},
		{"{esc}", `a"bé`, ""},
		{"{up}", "Up", ""},
		{"{empty}", "", ""},
		{`{empty | default "d"}`, "", ""},
		{`{null | default "d"}{none|default "e"}{none | default f}`, "def", ""},
		{`{none | default "a | } \" b"}`, `a | } " b`, ""},
		{`{a | last "/"}`, "z", ""},
		{`{a | last "-"}`, "x/y/z", ""},
		{`{a | after "/" x}`, "y", ""},
		{`{a | after "/" z}`, "", `{a}: no part behind "z"`},
		{`{a | after "/" q}`, "", `{a}: no part behind "q"`},
		{`{a | upper} {a|upper|lower}`, "X/Y/Z x/y/z", ""},
		{"{{{a}}}", "{x/y/z}", ""},
		{"{none}", "", "{none}: not in the record"},
		{`{null | last "/"}`, "", "{null}: not in the record"},
		{`{none | default "" | last "/"}`, "", ""},
	}
	for _, test := range tests {
		tmpl, err := parseTemplate(test.template)
		if err != nil {
			t.Errorf("%s: %v", test.template, err)
			continue
		}
		fields := fieldSet{}
		for _, name := range tmpl.names() {
			f := sigma.Builtin().Field(sigma.LogSource{Product: "aws", Service: "cloudtrail"}, name)
			fields[name] = &f
		}
		got, err := tmpl.render(fields, record)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%s: %q %v, want %q %s", test.template, got, err, test.want, test.err)
		}
	}
	for _, bad := range []string{"{", "{}", "}", "{a", "{a b}", "{a | nope}", "{a | default}", "{a | last}", "{a || lower}", `{a | default "x}`, "{a | after x}"} {
		if _, err := parseTemplate(bad); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestTitleIsCut(t *testing.T) {
	for n, want := range map[int]int{999: 999, 1000: 1000, 1001: 1000, 5000: 1000} {
		text := strings.Repeat("é", n)
		got := cut(text)
		if runes := len([]rune(got)); runes != want || n > maxText != strings.HasSuffix(got, "... (truncated)") {
			t.Errorf("%d characters: %d, %q", n, runes, got[len(got)-20:])
		}
	}
}

// TestTemplateErrors: the rule's name takes the place of what cannot be filled.
func TestTemplateErrors(t *testing.T) {
	d := detectorOf(t, head+"siempipe: {title: 'by {who}', dedup: '{where}'}\n")
	w := d.NewWorker()
	m := w.Match(&record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"A"}`})[0]
	if m.Title != "rule-name" || m.Dedup != "rule-name" || len(m.Errors) != 2 || m.Errors[0] != "title: {who}: not in the record" {
		t.Errorf("%+v", m)
	}
	m = w.Match(&record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"A","who":"me","where":""}`})[0]
	if m.Title != "by me" || m.Dedup != "defaultDedupString:rule-name" || len(m.Errors) != 0 {
		t.Errorf("%+v", m)
	}
	empty := detectorOf(t, head+"siempipe: {title: '{who}'}\n").NewWorker().Match(&record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"A","who":""}`})[0]
	if empty.Title != "rule-name" || empty.Dedup != "rule-name" {
		t.Errorf("%+v", empty)
	}
}

func TestSeverity(t *testing.T) {
	d := detectorOf(t, head+"level: low\nsiempipe:\n  severity:\n    - if: {a: 1}\n      level: critical\n    - if: [{a: 2}, {b|contains: x}]\n      level: High\n    - if: {c: 1}\n      level: info\n")
	w := d.NewWorker()
	for body, want := range map[string]record.Severity{
		`"a":1`: record.SeverityCritical, `"a":2`: record.SeverityHigh, `"b":"xx","c":1`: record.SeverityHigh, `"c":1`: record.SeverityInformation, `"d":1`: record.SeverityLow,
	} {
		m := w.Match(&record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"A",` + body + `}`})
		if len(m) != 1 || m[0].Level != want {
			t.Errorf("%s: %v, want %v", body, m[0].Level, want)
		}
	}
	last := detectorOf(t, head+"siempipe: {severity: [{level: high}]}\n").NewWorker().Match(&record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"A"}`})
	if last[0].Level != record.SeverityHigh {
		t.Errorf("%v", last[0].Level)
	}
}

func TestContext(t *testing.T) {
	body := `{"eventName":"A","o":{"k":[1]},"awsRegion":null,"s":"x","big":"` + strings.Repeat("x", maxContext) + `"}`
	tests := map[string]string{
		"'{o}'":         `{"k":[1]}`,
		"'{s}'":         `{}`,
		"'{none}'":      `{}`,
		"[s, o.k, nix]": `{"s":"x","o.k":[1]}`,
		"aws":           `{"eventName":"A","eventSource":"<MISSING_ACCOUNT_ID>","awsRegion":null,"recipientAccountId":"<MISSING_ACCOUNT_ID>","sourceIPAddress":"<MISSING_SOURCE_IP>","userAgent":"<MISSING_USER_AGENT>","userIdentity":"<MISSING_USER_IDENTITY>"}`,
		"[big]":         fmt.Sprintf(`{"_error":"the context has %d bytes, more than %d"}`, maxContext+10, maxContext),
	}
	for spec, want := range tests {
		m := detectorOf(t, head+"siempipe: {context: "+spec+"}\n").NewWorker().Match(&record.Record{EventType: "AWS.CloudTrail", Body: body})[0]
		if got := string(m.Rule.context.appendJSON(nil, m.fields, body)); got != want {
			t.Errorf("%s: %.300s, want %s", spec, got, want)
		}
	}
}

func TestSectionProblems(t *testing.T) {
	for section, want := range map[string]string{
		"{titel: x}":                               "unknown key titel",
		"{title: '{a'}":                            "title: a { is not closed",
		"{threshold: 0}":                           "threshold",
		"{threshold: 10001}":                       "threshold",
		"{dedup_period: soon}":                     "dedup_period",
		"{dedup_period: 100ms}":                    "dedup_period",
		"{dedup_period: 400d}":                     "dedup_period",
		"{context: nobody}":                        `no context is named "nobody"`,
		"{context: '{a}{b}'}":                      "want one field",
		"{context: {a: b}}":                        "context",
		"{severity: high}":                         "severity: want a list",
		"{severity: [{if: {a: 1}}]}":               "level: required",
		"{severity: [{if: {a|x: 1}, level: low}]}": "modifier x",
		"{severity: [{level: worst}]}":             "worst",
		"{summary_fields: {a: b}}":                 "summary_fields",
		"text":                                     "want a mapping",
		"{threshold: 1, threshold: 2}":             "stands twice",
	} {
		parsed, _ := sigma.Parse("f.yml", []byte(head+"siempipe: "+section+"\n"))
		set, problems := NewRuleSet(parsed, sigma.Builtin())
		if len(set.Rules) != 0 || len(problems) == 0 || !strings.Contains(problems[0].Error(), want) || problems[0].Line != 5 {
			t.Errorf("%s: %v", section, problems)
		}
	}
}

const correlated = `title: Failed
name: failed
id: 5638f7c0-ac70-491d-8465-2a65075e0d86
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: Failed}, condition: s}
---
title: Refused
name: refused
logsource: {product: aws, service: s3_server_access}
detection: {s: {httpstatus: 403}, condition: s}
---
title: Many
name: many
level: high
correlation:
  type: %s
  rules: [failed, refused]
  group-by: [who]
  aliases: {who: {failed: userIdentity.userName, refused: requester}}
  timespan: 10m
  condition: {%s}
  %s
siempipe: {title: 'Many by {userIdentity.userName | default "somebody"}', context: [eventName]}
`

func TestCorrelations(t *testing.T) {
	start := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)
	failed := func(minute int, who, ip string) record.Record {
		return record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"Failed","userIdentity":{"userName":"` + who + `"},"ip":"` + ip + `"}`, Time: start.Add(time.Duration(minute) * time.Minute), ID: fmt.Sprint(minute, who, ip)}
	}
	refused := func(minute int, who string) record.Record {
		return record.Record{EventType: "AWS.S3ServerAccess", Body: `{"httpstatus":403,"requester":"` + who + `"}`, Time: start.Add(time.Duration(minute) * time.Minute), ID: fmt.Sprint("r", minute, who)}
	}
	tests := map[string]struct {
		kind, condition, more string
		records               []record.Record
		titles                []string
	}{
		"two rules count together by alias":  {"event_count", "gte: 3", "", []record.Record{failed(0, "a", "1"), refused(1, "a"), failed(2, "b", "1"), failed(3, "a", "1")}, []string{"Many by a"}},
		"greater than":                       {"event_count", "gt: 2", "", []record.Record{failed(0, "a", "1"), failed(1, "a", "1"), refused(2, "a")}, []string{"Many by somebody"}},
		"groups apart":                       {"event_count", "gte: 2", "", []record.Record{failed(0, "a", "1"), failed(1, "b", "1"), failed(2, "c", "1")}, nil},
		"slides":                             {"event_count", "gte: 3", "", []record.Record{failed(0, "a", "1"), failed(6, "a", "1"), failed(11, "a", "1"), failed(15, "a", "1")}, []string{"Many by a"}},
		"the same record twice":              {"event_count", "gte: 2", "", []record.Record{failed(0, "a", "1"), failed(0, "a", "1")}, nil},
		"distinct values":                    {"value_count", "gte: 3, field: ip", "", []record.Record{failed(0, "a", "1"), failed(1, "a", "1"), failed(2, "a", "2"), failed(3, "a", "2"), failed(4, "a", "3")}, []string{"Many by a"}},
		"records without the value are none": {"value_count", "gte: 2, field: ip", "", []record.Record{failed(0, "a", "1"), refused(1, "a"), refused(2, "a"), failed(3, "a", "")}, nil},
		"records without the group are none": {"event_count", "gte: 2", "", []record.Record{{EventType: "AWS.S3ServerAccess", Body: `{"httpstatus":403}`, ID: "1"}, {EventType: "AWS.S3ServerAccess", Body: `{"httpstatus":403,"requester":null}`, ID: "2"}}, nil},
		"a comma makes no other group":       {"event_count", "gte: 2", "", []record.Record{failed(0, "a,b", "1"), failed(1, "a", "b")}, nil},
		"generate keeps the rules":           {"event_count", "gte: 2", "generate: true", []record.Record{failed(0, "a", "1"), failed(1, "a", "1")}, []string{"Failed", "Many by a"}},
		"generate beside correlation":        {"event_count", "gte: 2", "\ngenerate: True", []record.Record{failed(0, "a", "1"), failed(1, "a", "1")}, []string{"Failed", "Many by a"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := detectorOf(t, fmt.Sprintf(correlated, test.kind, test.condition, test.more))
			w := d.NewWorker()
			var titles []string
			for _, rec := range test.records {
				findings, _ := send(d, w, rec)
				for _, f := range findings {
					titles = append(titles, sigma.Lookup(nil, f.Body, "attack_scenario")[0].Text())
				}
			}
			if strings.Join(titles, ";") != strings.Join(test.titles, ";") {
				t.Errorf("%v, want %v", titles, test.titles)
			}
		})
	}
	for text, want := range map[string]string{
		strings.Replace(fmt.Sprintf(correlated, "event_count", "gte: 2", ""), "[failed, refused]", "[failed, nobody]", 1):       `no rule has the name or id "nobody"`,
		strings.Replace(fmt.Sprintf(correlated, "event_count", "gte: 2", ""), "siempipe: {", "siempipe: {threshold: 5, ", 1):    "threshold: a correlation has",
		strings.Replace(fmt.Sprintf(correlated, "event_count", "gte: 2", ""), "[failed, refused]", "[failed, many]", 1):         "correlations of correlations",
		strings.Replace(fmt.Sprintf(correlated, "event_count", "gte: 2", ""), "refused: requester", "refusd: requester", 1):     `the alias who is of "refusd"`,
		strings.Replace(fmt.Sprintf(correlated, "event_count", "gte: 2", ""), "name: refused", "name: failed", 1) + "# twice\n": "replaced by",
	} {
		parsed, _ := sigma.Parse("f.yml", []byte(text))
		_, problems := NewRuleSet(parsed, sigma.Builtin())
		found := false
		for _, p := range problems {
			found = found || strings.Contains(p.Error(), want)
		}
		if !found {
			t.Errorf("no %q in %v", want, problems)
		}
	}
}

// TestFirstRecordTellsTheStory: what a finding says is of the window's first record, its count and times of all.
func TestFirstRecordTellsTheStory(t *testing.T) {
	d := detectorOf(t, head+"level: low\nsiempipe: {title: 'by {who}', dedup: x, threshold: 2, context: [who], summary_fields: [who, none], severity: [{if: {who: b}, level: high}]}\n")
	w := d.NewWorker()
	at := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)
	send(d, w, record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"A","who":"a"}`, Time: at, ID: "1", AccountID: "111122223333"})
	findings, _ := send(d, w, record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"A","who":"b"}`, Time: at.Add(time.Second), ID: "2", AccountID: "444455556666"})
	if len(findings) != 1 {
		t.Fatal(len(findings))
	}
	for _, want := range []string{`"attack_scenario":"by a"`, `"severity":"Low"`, `"account_id":"111122223333"`, `"context":{"who":"a"}`, `"summary":{"who":"a"}`, `"count":2`, `"sample_event_ids":["1","2"]`, `"detection_timestamp":"2024-05-01T10:00:01Z","first_seen_timestamp":"2024-05-01T10:00:00Z"`} {
		if !strings.Contains(findings[0].Body, want) {
			t.Errorf("no %s in %s", want, findings[0].Body)
		}
	}
	if f := findings[0]; f.Severity != record.SeverityLow || f.AccountID != "111122223333" || f.ID == "" || f.EventType != record.Other || f.Format != Format || !f.Time.Equal(at.Add(time.Second)) {
		t.Errorf("%+v", f)
	}
	// The same records, counted anew elsewhere, make the same id.
	other := detectorOf(t, head+"siempipe: {dedup: x, threshold: 2}\n")
	ow := other.NewWorker()
	send(other, ow, record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"A"}`, Time: at})
	again, _ := send(other, ow, record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"A"}`, Time: at.Add(time.Minute)})
	if len(again) != 1 || again[0].ID != findings[0].ID {
		t.Errorf("%v", again)
	}
}

// TestTenantsApart: one tenant's records neither complete nor hide another's finding.
func TestTenantsApart(t *testing.T) {
	d := detectorOf(t, head+"siempipe: {threshold: 2}\n---\n"+strings.Replace(fmt.Sprintf(correlated, "event_count", "gte: 2", ""), "product: aws, service: cloudtrail}\ndetection: {s: {eventName: Failed}", "product: aws, service: cloudtrail}\ndetection: {s: {eventName: A}", 1))
	w := d.NewWorker()
	ids := map[string]string{}
	for i := range 3 {
		for _, tenant := range []string{"id-1", "id-2", ""} {
			findings, _ := send(d, w, record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"A","userIdentity":{"userName":"u"}}`, Time: time.Unix(1_700_000_000, 0), ID: fmt.Sprint(i), TenantID: tenant})
			if want := map[bool]int{true: 2}[i == 1]; len(findings) != want {
				t.Errorf("record %d of %q: %d findings, want %d", i, tenant, len(findings), want)
			}
			for _, f := range findings {
				if other, ok := ids[f.ID]; ok {
					t.Errorf("%q and %q have one id", tenant, other)
				}
				ids[f.ID] = tenant
				if f.TenantID != tenant {
					t.Errorf("%q, want %q", f.TenantID, tenant)
				}
			}
		}
	}
}

// FuzzFinding: whatever a record holds, its finding is valid JSON and the schema takes it.
func FuzzFinding(f *testing.F) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(panoptica.Schema))
	if err != nil {
		f.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("finding.json", doc); err != nil {
		f.Fatal(err)
	}
	schema, err := compiler.Compile("finding.json")
	if err != nil {
		f.Fatal(err)
	}
	d := detectorOf(f, "title: T\nlevel: high\ntags: [attack.t1110]\nlogsource: {product: aws}\ndetection: {s: {never|exists: false}, condition: s}\nsiempipe: {title: '{who} did {what | last \"/\"}', context: [a, b.c, userIdentity], summary_fields: [who]}\n")
	f.Add(`{"who":"me","what":"x/y","a":[1],"b":{"c":null},"p_any_aws_arns":["arn:aws:s3:::x"]}`, "AWS.CloudTrail", "111122223333", "id-1", int64(0))
	f.Add(`{"who":"\u0000\ud83d\ude00","accountId":12345678901234567890123456789012345678901234567890123,"resourceId":"é"}`, "AWS.", "\xff", "x", int64(-1))
	f.Add(`{"provider":"AWS","recipientAccountId":"","related_resources":[["a"],["b"]]}`, "AWS.X", strings.Repeat("1", 60), "id", int64(1<<62))
	f.Fuzz(func(t *testing.T, body, eventType, account, tenant string, at int64) {
		if jsonscan.Valid(body) != nil || !strings.HasPrefix(body, "{") {
			return
		}
		w := d.NewWorker()
		rec := record.Record{Body: body, EventType: eventType, AccountID: account, TenantID: tenant, Time: time.Unix(0, at)}
		matches := w.Match(&rec)
		for i := range matches {
			b := d.Begin()
			var out record.Record
			if b.Add(&matches[i], &out) {
				value, err := jsonschema.UnmarshalJSON(strings.NewReader(out.Body))
				if err != nil {
					t.Fatalf("%v: %s", err, out.Body)
				}
				if err := schema.Validate(value); err != nil {
					t.Fatalf("%v: %s", err, out.Body)
				}
				members, _, err := jsonscan.Members(nil, out.Body)
				if err != nil {
					t.Fatal(err)
				}
				var check panoptica.Finding
				if err := check.Check(members, 0); err != nil || len(check.Fixes) > 0 {
					t.Fatalf("%v %v: %s", err, check.Fixes, out.Body)
				}
			}
			b.Rollback()
		}
	})
}

// FuzzRule: whatever stands in a rule file, it is read, compiled, tested and matched, or reported.
func FuzzRule(f *testing.F) {
	f.Add(head + "level: low\nsiempipe: {title: '{a | default \"x\" | last \"/\"}', dedup: '{b}', threshold: 2, severity: [{if: {a: 1}, level: high}], context: aws, summary_fields: [a]}\ntests: [{name: n, log: {eventName: A}, matches: true}]\n")
	f.Add(fmt.Sprintf(correlated, "value_count", "gte: 2, field: ip", "generate: true"))
	f.Add(head + "tests: &x [{name: n, log: *x, matches: true}]\n")
	f.Add(head + "siempipe: {context: '{o}', severity: &s [{if: *s, level: low}]}\n")
	mapping := sigma.Builtin()
	f.Fuzz(func(t *testing.T, text string) {
		parsed, _ := sigma.Parse("f.yml", []byte(text))
		set, _ := NewRuleSet(parsed, mapping)
		for _, r := range set.Rules {
			if tests, _ := ParseTests(r.Rule); len(tests) < 5 {
				repeated := false
				for _, test := range tests {
					repeated = repeated || test.Repeat > 20
				}
				if !repeated {
					set.RunTests(r)
				}
			}
		}
		d := NewDetector(NewWindows(Limits{}, time.Now))
		d.Use(set)
		w := d.NewWorker()
		for _, body := range []string{`{"eventName":"A","a":"x/y","b":"c","o":{}}`, `{"eventName":"Failed","userIdentity":{"userName":"a"},"ip":"1"}`, `{}`} {
			findings, _ := send(d, w, record.Record{EventType: "AWS.CloudTrail", Body: body, Time: time.Unix(1_700_000_000, 0)})
			for _, f := range findings {
				if err := jsonscan.Valid(f.Body); err != nil {
					t.Fatalf("%v: %s", err, f.Body)
				}
			}
		}
	})
}

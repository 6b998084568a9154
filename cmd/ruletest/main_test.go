package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// call runs the command with files of the given names and texts; FILE/ in arguments is their directory.
func call(t *testing.T, files map[string]string, args ...string) (code int, out, errs string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "FILE", dir)
	}
	var o, e bytes.Buffer
	code = run(args, &o, &e)
	return code, strings.ReplaceAll(o.String(), dir, "FILE"), e.String()
}

const rule = `title: Own
name: own
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventName: Boom}
  condition: s
level: high
siempipe: {title: 'Boom by {userIdentity.arn}'}
tests:
  - {name: boom, log: {eventName: Boom, userIdentity: {arn: a}}, matches: true, title: Boom by a}
`

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		files map[string]string
		args  []string
		code  int
		want  []string
	}{
		"builtin": {nil, nil, 0, []string{"rules in force, 0 without tests", " 0 failed; 0 left out"}},
		"right":   {map[string]string{"a.yml": rule}, []string{"-v", "FILE/a.yml"}, 0, []string{"ok   FILE/a.yml:1: Own (1 tests)", "1 tests, 0 failed"}},
		"wrong": {map[string]string{"a.yml": rule + "  - {name: quiet, log: {eventName: Boom}, matches: false}\n  - {name: other title, log: {eventName: boom}, matches: true, title: Boom by b, severity: low}\n"}, []string{"FILE/*.yml"}, 1,
			[]string{`FAIL FILE/a.yml:11: Own: test "quiet":` + "\n    matches: got  true\n             want false", "title: got  own\n           want Boom by b", "severity: got  High\n              want Low", "3 tests, 2 failed"}},
		"unsupported": {map[string]string{"a.yml": rule, "b.yml": "title: B\nlogsource: {product: aws}\ndetection:\n  s:\n    a|expand: '%x%'\n  condition: s\n"}, []string{"FILE"}, 1,
			[]string{"UNSUPPORTED FILE/b.yml:5: B: not supported: modifier expand", "1 rules in force", "1 left out"}},
		"broken section": {map[string]string{"a.yml": strings.Replace(rule, "siempipe: {", "siempipe: {threshold: 0, severty: x, ", 1)}, []string{"FILE/a.yml"}, 1,
			[]string{"BROKEN      FILE/a.yml:8: Own: siempipe: threshold", "BROKEN      FILE/a.yml:8: Own: siempipe: unknown key severty"}},
		"broken test":    {map[string]string{"a.yml": rule + "  - {name: x, matches: true}\n"}, []string{"FILE/a.yml"}, 1, []string{"BROKEN      FILE/a.yml:11: Own: tests: x: log: required"}},
		"unknown source": {map[string]string{"a.yml": strings.Replace(rule, "cloudtrail", "lamps", 1)}, []string{"FILE/a.yml"}, 1, []string{"warning     FILE/a.yml:1: Own: not supported: log source aws/lamps"}},
		"twice":          {map[string]string{"a.yml": rule, "b.yml": rule}, []string{"FILE/a.yml", "FILE/b.yml"}, 1, []string{"BROKEN      FILE/a.yml:1: Own: replaced by the rule of the same id or name in FILE/b.yml:1"}},
		"mapped":         {map[string]string{"a.yml": strings.Replace(rule, "cloudtrail", "lamps", 1), "m.yml": "log_sources: [{product: aws, service: lamps, log_types: [AWS.Lamps]}]\n"}, []string{"-mapping", "FILE/m.yml", "FILE/a.yml"}, 0, []string{"1 tests, 0 failed"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, out, errs := call(t, test.files, test.args...)
			if code != test.code || errs != "" {
				t.Errorf("code %d, want %d; %s", code, test.code, errs)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
	for _, args := range [][]string{{"-no"}, {"-mapping", "FILE/none", "builtin"}, {"-log", "FILE/none"}, {"-log", "FILE", "-format", "none"}} {
		if code, out, errs := call(t, nil, args...); code != 2 || errs == "" {
			t.Errorf("%q: %d %s %s", args, code, out, errs)
		}
	}
}

func TestReplay(t *testing.T) {
	event := func(name, arn string) string {
		return `{"eventVersion":"1.09","userIdentity":{"type":"IAMUser","arn":"` + arn + `","accountId":"111122223333"},"eventTime":"2024-05-01T10:00:00Z","eventSource":"iam.amazonaws.com","eventName":"` + name + `","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","eventID":"` + name + arn + `","eventType":"AwsApiCall","recipientAccountId":"111122223333"}`
	}
	log := `{"Records":[` + event("Boom", "a") + "," + event("Boom", "a") + "," + event("Boom", "b") + "," + event("Fizz", "a") + "]}\nnot JSON\n"
	code, out, errs := call(t, map[string]string{"a.yml": rule, "log": log}, "-log", "FILE/log", "FILE/a.yml")
	for _, want := range []string{"2024-05-01T10:00:00Z  High         Boom by a  [own, record 1]", "Boom by b  [own, record 3]", "     3 matches      2 findings  own", "5 records, 1 could not be read; 1 rules matched, 2 findings"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if code != 0 || errs != "" {
		t.Errorf("%d %s", code, errs)
	}
	_, out, _ = call(t, map[string]string{"a.yml": rule, "log": "{\"eventname\":\"Boom\"}\n"}, "-v", "-log", "FILE/log", "-log-type", "AWS.CloudTrail", "FILE/a.yml")
	if !strings.Contains(out, `"attack_scenario":"own"`) || !strings.Contains(out, "record 1: own: title: {userIdentity.arn}: not in the record") {
		t.Errorf("%s", out)
	}
}

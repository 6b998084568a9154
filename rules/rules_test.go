package rules_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/siempipe/siempipe/internal/detect"
	"github.com/siempipe/siempipe/rules"
)

// TestRules runs the tests of every rule, and holds each rule to what ours must have.
func TestRules(t *testing.T) {
	loader := detect.Loader{Patterns: []string{detect.BuiltinName}, Builtin: rules.FS}
	set, problems, _, err := loader.Load()
	if err != nil {
		t.Fatal(err)
	}
	for i := range problems {
		t.Error(problems[i].Error())
	}
	if n := len(set.Rules); n < 3+20 {
		t.Errorf("%d rules, want 3 of the seed and at least 20 of ours", n)
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	technique := regexp.MustCompile(`^attack\.t\d{4}(\.\d{3})?$`)
	sources := map[string]int{}
	for _, r := range set.Rules {
		t.Run(r.Key(), func(t *testing.T) {
			n, failures, problems := set.RunTests(r)
			for i := range problems {
				t.Error(problems[i].Error())
			}
			for i := range failures {
				t.Error(failures[i].Error())
			}
			tests, _ := detect.ParseTests(r.Rule)
			yes, no := false, false
			for _, test := range tests {
				if test.Matches != nil {
					yes, no = yes || *test.Matches, no || !*test.Matches
				}
				if test.Findings != nil {
					yes, no = yes || *test.Findings > 0, no || *test.Findings == 0
				}
			}
			if n < 2 || !yes || !no {
				t.Errorf("%d tests; want one that matches and one that does not", n)
			}
			if !uuid.MatchString(r.ID) {
				t.Errorf("id %q is no random UUID", r.ID)
			}
			if r.Name == "" || r.Description == "" || r.Level == "" || r.Author == "" {
				t.Error("name, description, level and author are required")
			}
			if len(r.References) == 0 || len(r.FalsePositives) == 0 || !slices.ContainsFunc(r.Tags, technique.MatchString) {
				t.Error("references, false positives and a MITRE technique are required")
			}
			for _, ref := range r.References {
				if !strings.HasPrefix(ref, "https://") {
					t.Errorf("reference %q", ref)
				}
			}
		})
		if r.Correlation == nil {
			sources[r.LogSource.String()]++
		}
	}
	for _, source := range []string{"aws/cloudtrail", "aws/guardduty", "aws/vpcflow", "aws/s3_server_access", "aws/waf", "azure/signinlogs", "gcp/gcp.audit"} {
		if sources[source] == 0 {
			t.Errorf("no rule for %s", source)
		}
	}
	t.Logf("%d rules: %v", len(set.Rules), sources)
}

package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/detect/sigma"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Rule is a rule in force.
type Rule struct {
	*sigma.Rule
	section
	level  record.Severity
	labels []byte // JSON

	// fields are those of the section, by log source: a correlation reads records of the rules that it refers to.
	fields map[sigma.LogSource]fieldSet
	// correlations count the matches of this rule.
	correlations []*Rule
	// silent says that only correlations want its matches.
	silent bool
}

// RuleSet is a set of rules in force. It is immutable and safe for concurrent use.
type RuleSet struct {
	Rules   []*Rule // those of their own first, then correlations
	byEntry []*Rule // of the engine
	engine  *sigma.Engine
	mapping *sigma.Mapping
}

// NewRuleSet compiles parsed rules. What is wrong with a rule is a problem, and the rule is left out. Of two rules with
// one id, or one name, the later is in force, so that a user's file can replace a rule that is built in.
func NewRuleSet(parsed []*sigma.Rule, mapping *sigma.Mapping) (*RuleSet, []sigma.Problem) {
	set := &RuleSet{mapping: mapping}
	var problems []sigma.Problem
	parsed, problems = unique(parsed)
	var entries []sigma.Entry
	var correlations []*Rule
	for _, r := range parsed {
		s, bad := parseSection(r)
		if problems = append(problems, bad...); len(bad) > 0 {
			continue
		}
		rule := &Rule{Rule: r, section: s, level: levels[r.Level], labels: labels(r.Tags), fields: map[sigma.LogSource]fieldSet{}}
		if rule.level == record.SeverityUnknown {
			rule.level = record.SeverityMedium
		}
		if r.Correlation != nil {
			correlations = append(correlations, rule)
			continue
		}
		if mapping.LogTypes(r.LogSource) == nil {
			problems = append(problems, sigma.Problem{File: r.File, Line: r.Line, Rule: r.Title, Feature: "log source " + r.LogSource.String(),
				Msg: "no log type is mapped to it; add it to the mapping file", Warning: true})
		}
		rule.bind(mapping, r.LogSource, rule.fieldNames())
		entry := sigma.Entry{Rule: r}
		for _, o := range s.severity {
			if o.condition != nil {
				entry.Extra = append(entry.Extra, o.condition)
			}
		}
		entries = append(entries, entry)
		set.Rules = append(set.Rules, rule)
		set.byEntry = append(set.byEntry, rule)
	}
	for _, c := range correlations {
		if bad := set.correlate(c); bad != nil {
			problems = append(problems, *bad)
			continue
		}
		set.Rules = append(set.Rules, c)
	}
	set.engine = sigma.NewEngine(entries, mapping)
	return set, problems
}

// unique keeps the last rule of each key and id.
func unique(parsed []*sigma.Rule) (kept []*sigma.Rule, problems []sigma.Problem) {
	last := map[string]*sigma.Rule{}
	names := func(r *sigma.Rule) []string {
		list := []string{"key " + r.Key()}
		if r.ID != "" {
			list = append(list, "id "+strings.ToLower(r.ID))
		}
		return list
	}
	for _, r := range parsed {
		for _, name := range names(r) {
			last[name] = r
		}
	}
	for _, r := range parsed {
		var by *sigma.Rule
		for _, name := range names(r) {
			if last[name] != r {
				by = last[name]
			}
		}
		if by == nil {
			kept = append(kept, r)
			continue
		}
		problems = append(problems, sigma.Problem{File: r.File, Line: r.Line, Rule: r.Title, Warning: strings.HasPrefix(r.File, BuiltinName),
			Msg: fmt.Sprintf("replaced by the rule of the same id or name in %s:%d", by.File, by.Line)})
	}
	return kept, problems
}

// bind finds the fields that a rule reads from records of a log source.
func (r *Rule) bind(mapping *sigma.Mapping, l sigma.LogSource, names []string) {
	set := r.fields[l]
	if set == nil {
		set = fieldSet{}
		r.fields[l] = set
	}
	for _, name := range names {
		f := mapping.Field(l, name)
		set[name] = &f
	}
}

// correlate ties a correlation to the rules that it refers to.
func (s *RuleSet) correlate(c *Rule) *sigma.Problem {
	fail := func(format string, args ...any) *sigma.Problem {
		return &sigma.Problem{File: c.File, Line: c.Line, Rule: c.Title, Msg: "correlation: rules: " + fmt.Sprintf(format, args...)}
	}
	var refers []*Rule
	for _, name := range c.Correlation.Rules {
		i := slices.IndexFunc(s.byEntry, func(r *Rule) bool { return name == r.Name || strings.EqualFold(name, r.ID) })
		if i < 0 {
			return fail("no rule has the name or id %q (correlations of correlations are not supported)", name)
		}
		if !slices.Contains(refers, s.byEntry[i]) {
			refers = append(refers, s.byEntry[i])
		}
	}
	for alias, fields := range c.Correlation.Aliases {
		for name := range fields {
			if !slices.ContainsFunc(refers, func(r *Rule) bool { return name == r.Name || name == r.ID }) {
				return fail("the alias %s is of %q, which is none of them", alias, name)
			}
		}
	}
	for _, r := range refers {
		r.correlations = append(r.correlations, c)
		r.silent = r.silent || !c.Correlation.Generate
		c.bind(s.mapping, r.LogSource, c.fieldNames())
		for _, name := range slices.Concat(c.Correlation.GroupBy, c.Correlation.Field) {
			f := s.mapping.Field(r.LogSource, c.Correlation.GroupField(name, r.Rule))
			// By rule, since an alias means another field in each; a name of a template cannot hold a NUL.
			c.fields[r.LogSource][r.Key()+"\x00"+name] = &f
		}
	}
	return nil
}

// tactics are MITRE's ids of the names that Sigma writes. https://attack.mitre.org/tactics/enterprise/
var tactics = map[string]string{
	"reconnaissance": "TA0043", "resource-development": "TA0042", "initial-access": "TA0001", "execution": "TA0002",
	"persistence": "TA0003", "privilege-escalation": "TA0004", "defense-evasion": "TA0005", "credential-access": "TA0006",
	"discovery": "TA0007", "lateral-movement": "TA0008", "collection": "TA0009", "command-and-control": "TA0011",
	"exfiltration": "TA0010", "impact": "TA0040",
}

// labels turns MITRE tags into their ids: attack.credential-access into TA0006, attack.t1110.001 into T1110.001.
func labels(tags []string) []byte {
	var list []string
	for _, tag := range tags {
		name, ok := strings.CutPrefix(strings.ToLower(tag), "attack.")
		if !ok {
			continue
		}
		label := strings.ToUpper(name)
		if id, ok := tactics[strings.ReplaceAll(name, "_", "-")]; ok {
			label = id
		}
		if !slices.Contains(list, label) {
			list = append(list, label)
		}
	}
	return appendTexts(nil, list)
}

func appendTexts(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, text := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonscan.AppendQuoted(dst, text)
	}
	return append(dst, ']')
}

// Window says in words when the rule makes a finding: after how many records, and in which time.
func (r *Rule) Window() (threshold, window string) {
	if c := r.Correlation; c != nil {
		what := "records"
		if c.Values {
			what = "values of " + strings.Join(c.Field, ", ")
		}
		return fmt.Sprintf("%d %s", c.Count, what), shortDuration(c.Timespan)
	}
	if r.silent {
		return "for correlations only", ""
	}
	return fmt.Sprint(r.threshold), shortDuration(r.dedupPeriod)
}

// shortDuration is a duration without the units that are zero: 30m, not 30m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = text[:len(text)-2]
	}
	if strings.HasSuffix(text, "h0m") {
		text = text[:len(text)-2]
	}
	return text
}

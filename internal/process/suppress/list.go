// Package suppress drops findings that somebody decided not to see: rules in a YAML file, each with a reason and an
// end, reread when the file changes.
package suppress

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// Limits of a suppressions file: it is read whole, and every record is held against every rule.
const (
	maxFileBytes = 4 << 20
	maxRules     = 10_000
)

// never is the word for a rule without an end. It must be written out, so that no rule lives for ever by oversight.
const never = "never"

// List is a parsed suppressions file. It is immutable and safe for concurrent use.
type List struct {
	rules []rule
}

// rule suppresses the records for which all its matchers hold, until it expires.
type rule struct {
	name     string
	expires  time.Time // zero: never
	matchers []matcher
}

// Parse reads the text of a suppressions file:
//
//	suppressions:
//	  - name: public-website           # unique; the rule attribute of the metric
//	    reason: static site, RISK-123  # required
//	    expires: 2027-03-31            # a day (to its end, UTC), an RFC 3339 time, or never
//	    match:                         # all must hold
//	      asset_id: arn:aws:s3:::www                  # equal
//	      account_id: ["111122223333", "444455556666"] # any of
//	      attack_scenario: {regex: "(?i)public"}       # also prefix, suffix, contains
//	      risk_params.risk_score: 12                   # a dot goes into an object
//
// The error joins everything that is wrong, each by its rule.
func Parse(text []byte) (*List, error) {
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxFileBytes)
	}
	var file struct {
		Suppressions []struct {
			Name    string               `yaml:"name"`
			Reason  string               `yaml:"reason"`
			Expires string               `yaml:"expires"`
			Match   map[string]yaml.Node `yaml:"match"`
		} `yaml:"suppressions"`
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true) // a misspelt key must not widen a rule
	if err := dec.Decode(&file); err != nil && len(strings.TrimSpace(string(text))) > 0 {
		return nil, err
	}
	if len(file.Suppressions) > maxRules {
		return nil, fmt.Errorf("suppressions: %d rules, more than %d", len(file.Suppressions), maxRules)
	}
	list := &List{rules: make([]rule, 0, len(file.Suppressions))}
	names := make(map[string]bool, len(file.Suppressions))
	var errs []error
	for i, r := range file.Suppressions {
		where := fmt.Sprintf("suppressions[%d]", i)
		if r.Name != "" {
			where += " (" + r.Name + ")"
		}
		bad := func(key string, err error) { errs = append(errs, fmt.Errorf("%s: %s: %w", where, key, err)) }
		switch {
		case r.Name == "":
			bad("name", errors.New("required"))
		case names[r.Name]:
			bad("name", errors.New("used twice"))
		}
		names[r.Name] = true
		if strings.TrimSpace(r.Reason) == "" {
			bad("reason", errors.New("required"))
		}
		expires, err := parseExpiry(r.Expires)
		if err != nil {
			bad("expires", err)
		}
		if len(r.Match) == 0 {
			bad("match", errors.New("required; a rule without a matcher would drop everything"))
		}
		compiled := rule{name: r.Name, expires: expires}
		for field, node := range r.Match {
			m, err := newMatcher(field, &node)
			if err != nil {
				bad("match: "+field, err)
			}
			compiled.matchers = append(compiled.matchers, m)
		}
		list.rules = append(list.rules, compiled)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return list, nil
}

func parseExpiry(text string) (time.Time, error) {
	if text == never {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%q is no day (2027-03-31), no RFC 3339 time and not %q", text, never)
	}
	return t, nil
}

// Len is the number of rules, expired ones included.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return len(l.rules)
}

// Expired names the rules that have ended at now.
func (l *List) Expired(now time.Time) []string {
	var names []string
	for i := range l.rules {
		if l.rules[i].expired(now) {
			names = append(names, l.rules[i].name)
		}
	}
	return names
}

// Match returns the name of the first rule that suppresses the record with these members at now.
func (l *List) Match(members []jsonscan.Member, now time.Time) (name string, ok bool) {
	for i := range l.rules {
		if r := &l.rules[i]; !r.expired(now) && r.match(members) {
			return r.name, true
		}
	}
	return "", false
}

func (r *rule) expired(now time.Time) bool { return !r.expires.IsZero() && !now.Before(r.expires) }

func (r *rule) match(members []jsonscan.Member) bool {
	for i := range r.matchers {
		if !r.matchers[i].match(members) {
			return false
		}
	}
	return true
}

// matcher holds one field against wanted values.
type matcher struct {
	path   []string // names to step through; a name with dots in it is tried whole first
	equal  []string
	prefix string
	suffix string
	within string
	regex  *regexp.Regexp
}

func newMatcher(field string, node *yaml.Node) (matcher, error) {
	m := matcher{path: strings.Split(field, ".")}
	switch node.Kind {
	case yaml.ScalarNode:
		m.equal = []string{node.Value}
	case yaml.SequenceNode:
		if err := node.Decode(&m.equal); err != nil {
			return m, err
		}
		if len(m.equal) == 0 {
			return m, errors.New("empty list matches nothing")
		}
	case yaml.MappingNode:
		return m, m.decodeOperator(node)
	default:
		return m, errors.New("neither a value, a list nor an operator")
	}
	return m, nil
}

func (m *matcher) decodeOperator(node *yaml.Node) error {
	var ops map[string]string
	if err := node.Decode(&ops); err != nil {
		return err
	}
	if len(ops) != 1 {
		return errors.New("want exactly one operator of prefix, suffix, contains, regex")
	}
	for op, value := range ops {
		if value == "" {
			return fmt.Errorf("%s: empty, would match everything", op)
		}
		switch op {
		case "prefix":
			m.prefix = value
		case "suffix":
			m.suffix = value
		case "contains":
			m.within = value
		case "regex":
			re, err := regexp.Compile(value)
			if err != nil {
				return err
			}
			m.regex = re
		default:
			return fmt.Errorf("unknown operator %q; prefix, suffix, contains, regex", op)
		}
	}
	return nil
}

func (m *matcher) match(members []jsonscan.Member) bool {
	if len(m.path) > 1 {
		whole := strings.Join(m.path, ".")
		for i := range members {
			if members[i].Key() == whole {
				return m.matchValue(&members[i])
			}
		}
	}
	return m.step(members, m.path)
}

func (m *matcher) step(members []jsonscan.Member, path []string) bool {
	for i := range members {
		member := &members[i]
		if member.Key() != path[0] {
			continue
		}
		if len(path) == 1 {
			return m.matchValue(member)
		}
		if member.Kind != jsonscan.Object {
			return false
		}
		inner, _, err := jsonscan.Members(nil, member.Value)
		return err == nil && m.step(inner, path[1:])
	}
	return false
}

// matchValue holds a value against the matcher; an array matches when one of its elements does.
func (m *matcher) matchValue(member *jsonscan.Member) bool {
	switch member.Kind {
	case jsonscan.String:
		return m.matchText(member.Text())
	case jsonscan.Array:
		elements, err := jsonscan.Elements(nil, member.Value)
		if err != nil {
			return false
		}
		return slices.ContainsFunc(elements, func(e jsonscan.Member) bool { return m.matchValue(&e) })
	case jsonscan.Object:
		return false
	default:
		return m.matchText(member.Value)
	}
}

func (m *matcher) matchText(text string) bool {
	switch {
	case m.equal != nil:
		return slices.Contains(m.equal, text)
	case m.prefix != "":
		return strings.HasPrefix(text, m.prefix)
	case m.suffix != "":
		return strings.HasSuffix(text, m.suffix)
	case m.within != "":
		return strings.Contains(text, m.within)
	default:
		return m.regex != nil && m.regex.MatchString(text)
	}
}

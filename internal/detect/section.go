package detect

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/siempipe/siempipe/internal/detect/sigma"
	"github.com/siempipe/siempipe/internal/record"
)

// Limits and defaults of a rule's own section.
const (
	maxThreshold       = 10_000 // ids of so many records are held for each window
	defaultDedupPeriod = time.Hour
	maxDedupPeriod     = 365 * 24 * time.Hour
)

// section is what a rule says beyond matching, under its key siempipe.
type section struct {
	title, dedup *template // nil: the rule's title; the title
	threshold    int
	dedupPeriod  time.Duration
	severity     []override
	context      contextSpec
	summary      []string
}

// override gives matches that fulfil a further condition another severity; the first that holds counts.
type override struct {
	condition *sigma.Expr // nil holds always
	level     record.Severity
}

var levels = map[string]record.Severity{
	"informational": record.SeverityInformation, "information": record.SeverityInformation, "info": record.SeverityInformation,
	"low": record.SeverityLow, "medium": record.SeverityMedium, "high": record.SeverityHigh, "critical": record.SeverityCritical,
}

// parseSection reads the section of a rule; a rule without one has the defaults.
func parseSection(r *sigma.Rule) (s section, problems []sigma.Problem) {
	s = section{threshold: 1, dedupPeriod: defaultDedupPeriod}
	if r.Correlation != nil {
		s.dedupPeriod = r.Correlation.Timespan
	}
	n := r.Extension
	if n == nil {
		return s, nil
	}
	bad := func(n *yaml.Node, format string, args ...any) {
		problems = append(problems, sigma.Problem{File: r.File, Line: n.Line, Rule: r.Title, Msg: "siempipe: " + fmt.Sprintf(format, args...)})
	}
	if n.Kind != yaml.MappingNode {
		bad(n, "want a mapping")
		return s, problems
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		if seen[key] {
			bad(n.Content[i], "%s: stands twice", key)
		}
		seen[key] = true
		var err error
		switch key {
		case "title":
			s.title, err = parseTemplate(value.Value)
		case "dedup":
			s.dedup, err = parseTemplate(value.Value)
		case "threshold":
			if s.threshold, err = strconv.Atoi(value.Value); err != nil || s.threshold < 1 || s.threshold > maxThreshold {
				err = fmt.Errorf("is %q, want a number from 1 to %d", value.Value, maxThreshold)
			}
		case "dedup_period":
			s.dedupPeriod, err = parsePeriod(value.Value)
		case "severity":
			s.severity = parseOverrides(r, value, bad)
		case "context":
			s.context, err = parseContext(value)
		case "summary_fields":
			err = value.Decode(&s.summary)
		default:
			bad(n.Content[i], "unknown key %s", key)
		}
		if err != nil {
			bad(value, "%s: %v", key, err)
		}
	}
	if r.Correlation != nil {
		for _, key := range []string{"threshold", "dedup", "dedup_period"} {
			if seen[key] {
				bad(n, "%s: a correlation has condition, group-by and timespan instead", key)
			}
		}
	}
	return s, problems
}

// parsePeriod reads a duration as Go writes it, or with d for days.
func parsePeriod(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		if n, err = strconv.Atoi(days); err == nil && n <= 365 {
			d = time.Duration(n) * 24 * time.Hour
		}
	}
	if err != nil || d < time.Second || d > maxDedupPeriod {
		return 0, fmt.Errorf("is %q, want a duration such as 30m or 1h, from 1s to 365d", text)
	}
	return d, nil
}

// parseOverrides reads a list of {if: search, level: word}; if is a search as in detection.
func parseOverrides(r *sigma.Rule, n *yaml.Node, bad func(*yaml.Node, string, ...any)) (list []override) {
	if n.Kind != yaml.SequenceNode {
		bad(n, "severity: want a list of {if, level}")
		return nil
	}
	for _, entry := range n.Content {
		if entry.Kind != yaml.MappingNode {
			bad(entry, "severity: want {if, level}")
			continue
		}
		o := override{}
		for i := 0; i+1 < len(entry.Content); i += 2 {
			switch key, value := entry.Content[i].Value, entry.Content[i+1]; key {
			case "if":
				expr, problems := r.Search(value)
				for _, p := range problems {
					bad(value, "severity: if: %s%s", p.Feature, p.Msg)
				}
				o.condition = expr
			case "level":
				if o.level = levels[strings.ToLower(value.Value)]; o.level == record.SeverityUnknown {
					bad(value, "severity: level: is %q, want one of informational, low, medium, high, critical", value.Value)
				}
			default:
				bad(entry.Content[i], "severity: unknown key %s", key)
			}
		}
		if o.level == record.SeverityUnknown {
			bad(entry, "severity: level: required")
		}
		list = append(list, o)
	}
	if r.Correlation != nil {
		bad(n, "severity: a correlation has its level only")
	}
	return list
}

// fieldNames lists all fields that the section reads.
func (s *section) fieldNames() []string {
	var names []string
	for _, t := range []*template{s.title, s.dedup} {
		if t != nil {
			names = append(names, t.names()...)
		}
	}
	names = append(names, s.context.names()...)
	return append(names, s.summary...)
}

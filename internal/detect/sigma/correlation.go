package sigma

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxCorrelation is the greatest count a correlation may ask for: so many entries are held for each group.
const maxCorrelation = 10_000

// Correlation counts the matches of other rules.
type Correlation struct {
	// Values says that distinct values of Field are counted (value_count), not matches (event_count).
	Values bool
	Field  []string
	Rules  []string // ids or names
	// GroupBy are field names or aliases; empty means one group.
	GroupBy  []string
	Aliases  map[string]map[string]string // by alias, by rule: field name
	Timespan time.Duration
	// Count is the first count at which the condition holds.
	Count int
	// Generate says that the rules that it refers to stay rules of their own as well.
	Generate bool
}

func (p *parser) correlation(n *yaml.Node) *Correlation {
	keys, ok := p.mapping(n)
	if !ok {
		return nil
	}
	c := &Correlation{}
	kind := ""
	var condition *yaml.Node
	for _, kv := range keys {
		switch kv.name {
		case "type":
			kind = p.text(kv)
			switch kind {
			case "event_count":
			case "value_count":
				c.Values = true
			default:
				p.unsupported(kv.value, "correlation type "+kind, "event_count and value_count are")
			}
		case "rules":
			c.Rules = p.texts(kv)
		case "group-by":
			c.GroupBy = p.texts(kv)
		case "timespan":
			c.Timespan = p.timespan(kv)
		case "condition":
			condition = kv.value
		case "generate":
			c.Generate = p.boolean(kv)
		case "aliases":
			c.Aliases = p.aliases(kv)
		default:
			p.broken(kv.key, "correlation: unknown key %s", kv.name)
		}
	}
	switch {
	case p.failed:
	case kind == "":
		p.broken(n, "correlation: type: required")
	case len(c.Rules) == 0:
		p.broken(n, "correlation: rules: required")
	case c.Timespan == 0:
		p.broken(n, "correlation: timespan: required")
	case condition == nil:
		p.broken(n, "correlation: condition: required")
	default:
		p.counts(c, condition)
	}
	return c
}

// boolean reads true or false.
func (p *parser) boolean(kv keyValue) (yes bool) {
	if kv.value.Tag != "!!bool" || kv.value.Decode(&yes) != nil {
		p.broken(kv.value, "%s: want true or false", kv.name)
	}
	return yes
}

func (p *parser) aliases(kv keyValue) map[string]map[string]string {
	keys, ok := p.mapping(kv.value)
	if !ok {
		return nil
	}
	aliases := map[string]map[string]string{}
	for _, alias := range keys {
		fields, ok := p.mapping(alias.value)
		if !ok {
			return nil
		}
		aliases[alias.name] = map[string]string{}
		for _, field := range fields {
			aliases[alias.name][field.name] = p.text(field)
		}
	}
	return aliases
}

var timespanUnits = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}

func (p *parser) timespan(kv keyValue) time.Duration {
	text := p.text(kv)
	if len(text) >= 2 {
		unit := timespanUnits[text[len(text)-1]]
		count, err := strconv.Atoi(text[:len(text)-1])
		if err == nil && unit > 0 && count > 0 && count <= int(365*24*time.Hour/unit) {
			return time.Duration(count) * unit
		}
	}
	p.broken(kv.value, "timespan: is %q, want a number and s, m, h or d, at most 365d", text)
	return 0
}

// counts reads the condition. It is asked as records come, so an upper bound alone, which only the end of the time span
// can decide, is not supported, and beside a lower one it has no effect.
func (p *parser) counts(c *Correlation, n *yaml.Node) {
	keys, ok := p.mapping(n)
	if !ok {
		return
	}
	for _, kv := range keys {
		if kv.name == "field" {
			c.Field = p.texts(kv)
			continue
		}
		if !slices.Contains([]string{"gt", "gte", "eq", "lt", "lte", "neq"}, kv.name) {
			p.broken(kv.key, "correlation: condition: unknown key %s", kv.name)
			return
		}
		count, err := strconv.Atoi(p.text(kv))
		if err != nil || count < 0 {
			p.broken(kv.value, "correlation: condition: %s: %q is no count", kv.name, kv.value.Value)
			return
		}
		switch kv.name {
		case "gt":
			c.Count = max(c.Count, count+1)
		case "eq":
			if count == 0 {
				p.unsupported(kv.value, "correlation condition", "that nothing came only the end of the timespan decides")
				return
			}
			c.Count = max(c.Count, count)
		case "gte":
			c.Count = max(c.Count, count, 1)
		default:
			p.add(kv.key, Problem{Warning: true, Msg: "correlation: condition: " + kv.name + " has no effect: it is decided as records come"})
		}
	}
	switch {
	case c.Count == 0:
		p.unsupported(n, "correlation condition", "without gt, gte or eq only the end of the timespan decides it")
	case c.Count > maxCorrelation:
		p.broken(n, "correlation: condition: counts more than %d", maxCorrelation)
	case c.Values && len(c.Field) == 0:
		p.broken(n, "correlation: condition: field: required of value_count")
	case !c.Values && len(c.Field) > 0:
		p.broken(n, "correlation: condition: field is of value_count only")
	}
}

// GroupField is the field that stands for a group-by name in records of a rule.
func (c *Correlation) GroupField(name string, rule *Rule) string {
	for _, key := range []string{rule.Name, rule.ID} {
		if field := c.Aliases[name][key]; key != "" && field != "" {
			return field
		}
	}
	return name
}

// Refers reports whether the correlation counts matches of the rule.
func (c *Correlation) Refers(rule *Rule) bool {
	return slices.ContainsFunc(c.Rules, func(name string) bool {
		return name != "" && (name == rule.Name || strings.EqualFold(name, rule.ID))
	})
}

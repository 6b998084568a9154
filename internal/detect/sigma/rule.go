package sigma

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of rule files: they are read whole, and what a rule says is compiled into memory.
const (
	maxFileBytes = 4 << 20
	maxRules     = 10_000 // in one file
	maxNesting   = 32     // of conditions and searches
	maxTitle     = 256    // characters, of the specification
)

// LogSource says which records a rule is about.
type LogSource struct {
	Product, Service, Category string
}

// String is the log source as product/service/category, empty parts left out.
func (l LogSource) String() string {
	var parts []string
	for _, part := range []string{l.Product, l.Service, l.Category} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/")
}

// Rule is a parsed rule. It is immutable once it was compiled.
type Rule struct {
	File string
	Line int // of its first key

	Title, ID, Name, Status, Description, Author, Level string
	References, Tags, FalsePositives                    []string

	LogSource LogSource
	// Condition holds when the rule matches; nil for a correlation.
	Condition *Expr
	// Correlation counts matches of other rules; nil for a rule of its own.
	Correlation *Correlation

	// Extension is the value of the key siempipe, Tests that of the key tests; nil when absent.
	Extension, Tests *yaml.Node
}

// Key names the rule for people and in state: its name, else its id, else its title.
func (r *Rule) Key() string {
	switch {
	case r.Name != "":
		return r.Name
	case r.ID != "":
		return r.ID
	}
	return r.Title
}

// Parse reads the rules of one YAML text, which may hold several documents. A rule that is broken or uses what is not
// supported is a Problem and left out; the others are returned.
func Parse(file string, text []byte) (rules []*Rule, problems []Problem) {
	broken := func(line int, err error) {
		problems = append(problems, Problem{File: file, Line: line, Msg: err.Error()})
	}
	if len(text) > maxFileBytes {
		broken(0, fmt.Errorf("larger than %d bytes", maxFileBytes))
		return nil, problems
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return rules, problems
		}
		if err != nil { // says the line itself; what follows cannot be told apart
			broken(0, err)
			return rules, problems
		}
		if len(doc.Content) == 0 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].Tag == "!!null" {
			continue
		}
		if len(rules)+len(problems) >= maxRules {
			broken(doc.Line, fmt.Errorf("more than %d rules", maxRules))
			return rules, problems
		}
		p := &parser{rule: &Rule{File: file, Line: doc.Content[0].Line}}
		p.document(doc.Content[0])
		problems = append(problems, p.problems...)
		if !p.failed {
			rules = append(rules, p.rule)
		}
	}
}

// parser reads one document.
type parser struct {
	rule     *Rule
	problems []Problem
	failed   bool
}

func (p *parser) broken(n *yaml.Node, format string, args ...any) {
	p.failed = true
	p.add(n, Problem{Msg: fmt.Sprintf(format, args...)})
}

func (p *parser) unsupported(n *yaml.Node, feature, format string, args ...any) {
	p.failed = true
	p.add(n, Problem{Feature: feature, Msg: fmt.Sprintf(format, args...)})
}

func (p *parser) add(n *yaml.Node, problem Problem) {
	problem.File, problem.Line, problem.Rule = p.rule.File, n.Line, p.rule.Title
	if problem.Rule == "" {
		problem.Rule = p.rule.ID
	}
	p.problems = append(p.problems, problem)
}

func (p *parser) document(doc *yaml.Node) {
	doc = resolve(doc)
	if doc.Kind != yaml.MappingNode {
		p.broken(doc, "a rule is a mapping")
		return
	}
	r := p.rule
	keys, ok := p.mapping(doc)
	if !ok {
		return
	}
	var logSource, detection, correlation *yaml.Node
	var generate *keyValue    // of a correlation; the specification has it here, pySigma within correlation
	for _, kv := range keys { // the names first, so that problems carry them
		switch kv.name {
		case "title":
			r.Title = p.text(kv)
		case "id":
			r.ID = p.text(kv)
		}
	}
	for _, kv := range keys {
		switch kv.name {
		case "name":
			r.Name = p.text(kv)
		case "status":
			r.Status = p.text(kv)
		case "description":
			r.Description = strings.TrimSpace(p.text(kv))
		case "author":
			r.Author = p.text(kv)
		case "level":
			r.Level = strings.ToLower(p.text(kv))
		case "references":
			r.References = p.texts(kv)
		case "tags":
			r.Tags = p.texts(kv)
		case "falsepositives":
			r.FalsePositives = p.texts(kv)
		case "logsource":
			logSource = kv.value
		case "detection":
			detection = kv.value
		case "correlation":
			correlation = kv.value
		case "generate":
			generate = &kv
		case "siempipe":
			r.Extension = kv.value
		case "tests":
			r.Tests = kv.value
		case "action":
			p.unsupported(kv.value, "action "+kv.value.Value, "collections of the first Sigma specification; write whole rules")
		case "filter":
			p.unsupported(kv.value, "filter", "write it into the rule")
		}
	}
	switch {
	case r.Title == "":
		p.broken(doc, "title: required")
	case len([]rune(r.Title)) > maxTitle:
		p.broken(doc, "title: has %d characters, want at most %d", len([]rune(r.Title)), maxTitle)
	}
	switch r.Level {
	case "", "informational", "low", "medium", "high", "critical":
	default:
		p.broken(doc, "level: is %q, want one of informational, low, medium, high, critical", r.Level)
	}
	switch {
	case p.failed:
	case correlation != nil && detection != nil:
		p.broken(correlation, "a rule has detection or correlation, not both")
	case correlation != nil:
		r.Correlation = p.correlation(correlation)
		if generate != nil && r.Correlation != nil {
			r.Correlation.Generate = p.boolean(*generate) || r.Correlation.Generate
		}
	case detection == nil:
		p.broken(doc, "detection: required")
	case logSource == nil:
		p.broken(doc, "logsource: required")
	default:
		p.logSource(logSource)
		p.detection(detection)
	}
}

func (p *parser) logSource(n *yaml.Node) {
	keys, ok := p.mapping(n)
	if !ok {
		return
	}
	for _, kv := range keys {
		switch kv.name {
		case "product":
			p.rule.LogSource.Product = strings.ToLower(p.text(kv))
		case "service":
			p.rule.LogSource.Service = strings.ToLower(p.text(kv))
		case "category":
			p.rule.LogSource.Category = strings.ToLower(p.text(kv))
		}
	}
	if p.rule.LogSource == (LogSource{}) {
		p.broken(n, "logsource: names neither product, service nor category")
	}
}

// keyValue is one key of a mapping.
type keyValue struct {
	name  string
	key   *yaml.Node
	value *yaml.Node
}

// mapping lists the keys of a mapping; a key that appears twice is an error, since readers disagree which one counts.
func (p *parser) mapping(n *yaml.Node) (keys []keyValue, ok bool) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		p.broken(n, "is %s, want a mapping", kindOf(n))
		return nil, false
	}
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolve(n.Content[i])
		if key.Kind != yaml.ScalarNode {
			p.broken(key, "a key is %s, want a word", kindOf(key))
			return nil, false
		}
		if seen[key.Value] {
			p.broken(key, "%s: stands twice", key.Value)
			return nil, false
		}
		seen[key.Value] = true
		keys = append(keys, keyValue{name: key.Value, key: key, value: resolve(n.Content[i+1])})
	}
	return keys, true
}

// text is the text of a scalar.
func (p *parser) text(kv keyValue) string {
	if kv.value.Kind != yaml.ScalarNode {
		p.broken(kv.value, "%s: is %s, want a text", kv.name, kindOf(kv.value))
		return ""
	}
	if kv.value.Tag == "!!null" {
		return ""
	}
	return kv.value.Value
}

// texts is a list of texts, or a single one.
func (p *parser) texts(kv keyValue) []string {
	if kv.value.Kind != yaml.SequenceNode {
		if text := p.text(kv); text != "" {
			return []string{text}
		}
		return nil
	}
	var list []string
	for _, n := range kv.value.Content {
		list = append(list, p.text(keyValue{name: kv.name, key: kv.key, value: resolve(n)}))
	}
	return list
}

// resolve follows an alias. An alias that contains itself ends in a node that is none of the wanted kinds.
func resolve(n *yaml.Node) *yaml.Node {
	for range maxNesting {
		if n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return n
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "empty"
		}
		return "a single value"
	}
	return "nothing"
}

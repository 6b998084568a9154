package sigma

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed mapping.yml
var builtinMapping []byte

// Mapping says which log types a log source means and where a rule's fields are in their records. It is immutable
// once it is made and safe for concurrent use.
type Mapping struct {
	sources  []sourceRow
	tables   map[string]map[string]fieldRow // by table, by folded name
	prefixes map[string][]string
	strip    map[string][]string
}

type sourceRow struct {
	Product  string   `yaml:"product"`
	Service  string   `yaml:"service"`
	Category string   `yaml:"category"`
	LogTypes []string `yaml:"log_types"`
	Fields   []string `yaml:"fields"`
}

// fieldRow says where a field is.
type fieldRow struct {
	union        bool // all alternatives count, not the first that is there
	alternatives []alternative
}

// alternative is one path with what is made of its values.
type alternative struct {
	path    []string
	when    []guard
	after   string
	values  map[string]string
	other   string // else
	hasElse bool
}

// guard holds when the field at path has one of values, compared exactly.
type guard struct {
	path   []string
	values []string
}

// UnmarshalYAML reads a list of alternatives, or {any: list}.
func (f *fieldRow) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "any" {
		f.union = true
		return n.Content[1].Decode(&f.alternatives)
	}
	return n.Decode(&f.alternatives)
}

// UnmarshalYAML reads a path, or a mapping with one.
func (a *alternative) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		a.path = splitPath(n.Value)
		return nil
	}
	var row struct {
		Path   string              `yaml:"path"`
		When   map[string][]string `yaml:"when"`
		After  string              `yaml:"after"`
		Values map[string]string   `yaml:"values"`
		Else   *string             `yaml:"else"`
	}
	for i := 0; i < len(n.Content); i += 2 { // Decode of a node does not know which keys are meant
		if !slices.Contains([]string{"path", "when", "after", "values", "else"}, n.Content[i].Value) {
			return fmt.Errorf("line %d: unknown key %s", n.Content[i].Line, n.Content[i].Value)
		}
	}
	if err := n.Decode(&row); err != nil {
		return err
	}
	if row.Path == "" {
		return fmt.Errorf("line %d: path: required", n.Line)
	}
	a.path, a.after, a.values = splitPath(row.Path), row.After, row.Values
	if row.Else != nil {
		a.other, a.hasElse = *row.Else, true
	}
	for path, values := range row.When {
		a.when = append(a.when, guard{splitPath(path), values})
	}
	slices.SortFunc(a.when, func(x, y guard) int { return slices.Compare(x.path, y.path) })
	return nil
}

// splitPath splits a path at its dots; \. is a dot in a name.
func splitPath(path string) []string {
	var segments []string
	var segment strings.Builder
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && i+1 < len(path) && path[i+1] == '.':
			i++
			segment.WriteByte('.')
		case path[i] == '.':
			segments = append(segments, segment.String())
			segment.Reset()
		default:
			segment.WriteByte(path[i])
		}
	}
	return append(segments, segment.String())
}

// Builtin is the mapping of the log sources that siempipe reads.
func Builtin() *Mapping {
	m, err := ParseMapping(builtinMapping, nil)
	if err != nil { // a test reads it
		panic(err)
	}
	return m
}

// ParseMapping reads a mapping file and lays it over base, which may be nil: its rows come before those of base, its
// fields replace those of the same table and name.
func ParseMapping(text []byte, base *Mapping) (*Mapping, error) {
	var file struct {
		Sources  []sourceRow                    `yaml:"log_sources"`
		Prefixes map[string][]string            `yaml:"prefixes"`
		Strip    map[string][]string            `yaml:"strip"`
		Fields   map[string]map[string]fieldRow `yaml:"fields"`
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		return nil, err
	}
	m := &Mapping{tables: map[string]map[string]fieldRow{}, prefixes: map[string][]string{}, strip: map[string][]string{}}
	var errs []error
	for i, row := range file.Sources {
		if row.Product == "" && row.Service == "" && row.Category == "" {
			errs = append(errs, fmt.Errorf("log_sources[%d]: names neither product, service nor category", i))
		}
		if len(row.LogTypes) == 0 {
			errs = append(errs, fmt.Errorf("log_sources[%d]: log_types: required", i))
		}
		row.Product, row.Service, row.Category = strings.ToLower(row.Product), strings.ToLower(row.Service), strings.ToLower(row.Category)
		m.sources = append(m.sources, row)
	}
	if base != nil {
		m.sources = append(m.sources, base.sources...)
		for name, table := range base.tables {
			m.tables[name] = table
		}
		for name, list := range base.prefixes {
			m.prefixes[name] = list
		}
		for name, list := range base.strip {
			m.strip[name] = list
		}
	}
	for name, rows := range file.Fields {
		table := map[string]fieldRow{}
		for field, row := range m.tables[name] {
			table[field] = row
		}
		for field, row := range rows {
			if len(row.alternatives) == 0 {
				errs = append(errs, fmt.Errorf("fields: %s: %s: no path", name, field))
			}
			table[fold(field)] = row
		}
		m.tables[name] = table
	}
	for name, list := range file.Prefixes {
		m.prefixes[name] = list
	}
	for name, list := range file.Strip {
		m.strip[name] = list
	}
	for i := range m.sources {
		for _, table := range m.sources[i].Fields {
			if m.tables[table] == nil && m.prefixes[table] == nil {
				errs = append(errs, fmt.Errorf("log_sources[%d]: fields: no table %s", i, table))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, nil
}

// source finds the row for a log source: one that says all that the rule says, most exact first; nil when there is none.
func (m *Mapping) source(l LogSource) *sourceRow {
	best, bestScore := (*sourceRow)(nil), -1
	for i := range m.sources {
		row := &m.sources[i]
		score := 0
		for _, pair := range [][2]string{{row.Product, l.Product}, {row.Service, l.Service}, {row.Category, l.Category}} {
			if pair[0] == "" {
				continue
			}
			if pair[0] != pair[1] {
				score = -1
				break
			}
			score++
		}
		// A rule for a service that no row knows is not about all records of the product.
		if score >= 0 && row.Service == "" && l.Service != "" {
			score = -1
		}
		if score > bestScore {
			best, bestScore = row, score
		}
	}
	return best
}

// LogTypes lists the log types of a log source as the mapping writes them; nil when it knows none.
func (m *Mapping) LogTypes(l LogSource) []string {
	if row := m.source(l); row != nil {
		return row.LogTypes
	}
	return nil
}

// typeMatches reports whether a log type is meant by a pattern of log_types.
func typeMatches(pattern, logType string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(logType, prefix)
	}
	return pattern == logType
}

// resolve finds where a field of a rule is.
func (m *Mapping) resolve(l LogSource, field string) fieldRow {
	row := m.source(l)
	if row == nil {
		return fieldRow{alternatives: []alternative{{path: splitPath(field)}}}
	}
	for _, table := range row.Fields {
		for _, strip := range m.strip[table] {
			if len(field) > len(strip) && strings.EqualFold(field[:len(strip)], strip) {
				field = field[len(strip):]
			}
		}
	}
	name := fold(field)
	for _, table := range row.Fields {
		if f, ok := m.tables[table][name]; ok {
			return f
		}
	}
	var f fieldRow
	for _, table := range row.Fields {
		for _, p := range m.prefixes[table] {
			f.alternatives = append(f.alternatives, alternative{path: splitPath(p + field)})
		}
	}
	if len(f.alternatives) == 0 {
		f.alternatives = []alternative{{path: splitPath(field)}}
	}
	return f
}

// SourceDoc is a log source as documentation shows it.
type SourceDoc struct {
	Source, LogTypes string
}

// Sources lists the log sources in the order in which they are tried.
func (m *Mapping) Sources() []SourceDoc {
	docs := make([]SourceDoc, len(m.sources))
	for i, row := range m.sources {
		docs[i] = SourceDoc{LogSource{row.Product, row.Service, row.Category}.String(), strings.Join(row.LogTypes, ", ")}
	}
	return docs
}

// FieldDoc is a field of a table as documentation shows it.
type FieldDoc struct {
	Table, Name, Paths string
}

// Fields lists the fields of all tables, by table and name.
func (m *Mapping) Fields() []FieldDoc {
	var docs []FieldDoc
	for table, rows := range m.tables {
		for name, row := range rows {
			var paths []string
			for i := range row.alternatives {
				paths = append(paths, row.alternatives[i].String())
			}
			join := ", else "
			if row.union {
				join = " and "
			}
			docs = append(docs, FieldDoc{table, name, strings.Join(paths, join)})
		}
	}
	slices.SortFunc(docs, func(a, b FieldDoc) int { return strings.Compare(a.Table+" "+a.Name, b.Table+" "+b.Name) })
	return docs
}

// String says where the value is and what is made of it.
func (a *alternative) String() string {
	text := "`" + strings.Join(a.path, ".") + "`"
	for _, g := range a.when {
		text += " when `" + strings.Join(g.path, ".") + "` is " + strings.Join(g.values, " or ")
	}
	if a.after != "" {
		text += " behind `" + a.after + "`"
	}
	if a.values != nil {
		var list []string
		for from, to := range a.values {
			list = append(list, from+" means "+to)
		}
		slices.Sort(list)
		text += " (" + strings.Join(list, ", ")
		if a.hasElse {
			text += ", else " + a.other
		}
		text += ")"
	}
	return text
}

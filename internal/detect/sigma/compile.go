package sigma

import (
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
)

// Entry is a rule with further conditions that are asked of records that it matches.
type Entry struct {
	Rule  *Rule
	Extra []*Expr
}

// Engine holds records against rules. It is immutable but for its cache and safe for concurrent use; each goroutine
// needs a Matcher of its own.
type Engine struct {
	entries []Entry
	mapping *Mapping
	// types are what the rules' log sources are mapped to, with an asterisk or without.
	types []string
	mu    sync.Mutex // for writing plans
	plans atomic.Pointer[map[string]*plan]
}

// maxPlans bounds the log types that an engine prepares itself for: their names come from records.
const maxPlans = 256

// NewEngine compiles rules. Correlations are passed over: they have nothing to match.
func NewEngine(entries []Entry, mapping *Mapping) *Engine {
	e := &Engine{entries: entries, mapping: mapping}
	e.plans.Store(&map[string]*plan{})
	for i := range entries {
		for _, logType := range mapping.LogTypes(entries[i].Rule.LogSource) {
			if !slices.Contains(e.types, logType) {
				e.types = append(e.types, logType)
			}
		}
	}
	for _, logType := range e.types { // at start rather than at the first record
		if !strings.HasSuffix(logType, "*") {
			e.plan(logType)
		}
	}
	return e
}

// plan is what the engine does with records of one log type.
type plan struct {
	fields []planField
	tests  []compiled
	rules  []planRule
	// index holds the rules by the values of the fields that they cannot match without; always those that have none.
	index  []indexField
	always []int32
	paths  int
	// first reads what index and always need, full everything.
	first, full trie
}

type planRule struct {
	entry int32 // in Engine.entries
	expr  *node
	extra []*node
	first bool // the first walk reads all that expr asks for
}

type indexField struct {
	field int32
	rules map[string][]int32 // by folded text
}

// planField is a field by the numbers of its paths.
type planField struct {
	union        bool
	alternatives []planAlternative
}

type planAlternative struct {
	*alternative
	path  int32
	when  []int32 // paths of alternative.when
	plain bool    // no guard, no transformation
}

// node is an Expr by the numbers of its tests.
type node struct {
	op   op
	n    int
	test int32
	kids []*node
}

// compiled is a test, ready to be made.
type compiled struct {
	test
	fieldID, otherID int32
	text             string // of shape
	bytes            []byte
	set              map[string]struct{} // when there are many texts
	re               *regexp.Regexp
	needs            []byte // text that every match of re holds
}

// plan returns the plan of a log type, nil when no rule is about it.
func (e *Engine) plan(logType string) *plan {
	if p, ok := (*e.plans.Load())[logType]; ok {
		return p
	}
	if !slices.ContainsFunc(e.types, func(t string) bool { return typeMatches(t, logType) }) {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	old := *e.plans.Load()
	if p, ok := old[logType]; ok {
		return p
	}
	p := e.build(logType)
	if len(old) < maxPlans {
		grown := make(map[string]*plan, len(old)+1)
		for k, v := range old {
			grown[k] = v
		}
		grown[logType] = p
		e.plans.Store(&grown)
	}
	return p
}

// builder makes one plan.
type builder struct {
	plan    *plan
	mapping *Mapping
	source  LogSource
	fields  map[string]int32
	tests   map[string]int32
	paths   map[string]int32
	names   [][]string // of paths
}

func (e *Engine) build(logType string) *plan {
	b := &builder{plan: &plan{}, mapping: e.mapping, fields: map[string]int32{}, tests: map[string]int32{}, paths: map[string]int32{}}
	for i := range e.entries {
		r := e.entries[i].Rule
		if r.Condition == nil || !slices.ContainsFunc(e.mapping.LogTypes(r.LogSource), func(t string) bool { return typeMatches(t, logType) }) {
			continue
		}
		b.source = r.LogSource
		rule := planRule{entry: int32(i), expr: b.node(r.Condition)}
		for _, extra := range e.entries[i].Extra {
			rule.extra = append(rule.extra, b.node(extra))
		}
		b.plan.rules = append(b.plan.rules, rule)
	}
	if len(b.plan.rules) == 0 {
		return nil
	}
	b.indexRules()
	b.plan.paths = len(b.names)
	return b.plan
}

func (b *builder) node(e *Expr) *node {
	n := &node{op: e.op, n: e.n}
	if e.op == opTest {
		n.test = b.test(e.test)
		return n
	}
	for _, kid := range e.kids {
		n.kids = append(n.kids, b.node(kid))
	}
	return n
}

// test numbers a test; rules that ask the same share it.
func (b *builder) test(t *test) int32 {
	c := compiled{test: *t, fieldID: -1, otherID: -1}
	if !t.keyword {
		c.fieldID = b.field(t.field)
	}
	if t.kind == testField {
		c.otherID = b.field(t.other)
	}
	key := fmt.Sprintf("%d %d %d %v %q %s %q %v %s %v %v %d %s", c.fieldID, c.otherID, t.kind, t.cased, t.texts, t.pattern, t.regexp,
		t.network, t.compare, t.number, t.exists, t.shape, t.part)
	if id, ok := b.tests[key]; ok {
		return id
	}
	c.prepare()
	id := int32(len(b.plan.tests))
	b.plan.tests = append(b.plan.tests, c)
	b.tests[key] = id
	return id
}

// linearTexts is up to how many texts are compared one by one.
const linearTexts = 8

func (c *compiled) prepare() {
	switch c.kind {
	case testPattern:
		c.shape, c.text = c.pattern.shape()
		c.bytes = []byte(c.text)
	case testSet:
		if len(c.texts) > linearTexts {
			c.set = make(map[string]struct{}, len(c.texts))
			for _, text := range c.texts {
				c.set[text] = struct{}{}
			}
		}
	case testRegexp:
		c.re = regexp.MustCompile(c.regexp) // the parser compiled it
		c.needs = []byte(needed(c.regexp))
	case testCIDR:
		c.network = netip.PrefixFrom(c.network.Addr().Unmap(), c.network.Bits())
	}
}

// needed is the longest text that every match of a regular expression holds, "" when there is none.
func needed(expr string) string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return ""
	}
	longest := ""
	var visit func(re *syntax.Regexp)
	visit = func(re *syntax.Regexp) {
		switch re.Op {
		case syntax.OpLiteral:
			caseless := !slices.ContainsFunc(re.Rune, func(r rune) bool { return unicode.SimpleFold(r) != r })
			if (re.Flags&syntax.FoldCase == 0 || caseless) && len(string(re.Rune)) > len(longest) {
				longest = string(re.Rune)
			}
		case syntax.OpConcat, syntax.OpCapture, syntax.OpPlus:
			for _, sub := range re.Sub {
				visit(sub)
			}
		}
	}
	visit(re)
	return longest
}

// field numbers a field of the builder's log source; names that stand for the same place share it.
func (b *builder) field(name string) int32 {
	row := b.mapping.resolve(b.source, name)
	key := fmt.Sprintf("%v %+v", row.union, row.alternatives)
	if id, ok := b.fields[key]; ok {
		return id
	}
	f := planField{union: row.union}
	for i := range row.alternatives {
		a := &row.alternatives[i]
		alt := planAlternative{alternative: a, path: b.path(a.path), plain: len(a.when) == 0 && !a.transforms()}
		for j := range a.when {
			alt.when = append(alt.when, b.path(a.when[j].path))
		}
		f.alternatives = append(f.alternatives, alt)
	}
	id := int32(len(b.plan.fields))
	b.plan.fields = append(b.plan.fields, f)
	b.fields[key] = id
	return id
}

func (b *builder) path(segments []string) int32 {
	key := fmt.Sprintf("%q", segments)
	if id, ok := b.paths[key]; ok {
		return id
	}
	id := int32(len(b.names))
	b.names = append(b.names, segments)
	b.paths[key] = id
	return id
}

// key is a value of a field that a rule cannot match without.
type key struct {
	field int32
	text  string // folded
}

// preferred are the fields that say most about a record, so that few rules are looked at for each.
var preferred = []string{"eventname", "operationname", "methodname", "riskeventtype"}

// maxFirstPaths bounds the paths that the first walk reads for the sake of rules that many records are candidates of. Once it reads
// that many, reading everything costs little more.
const maxFirstPaths = 24

// indexRules decides for each rule by which of its tests it is found.
func (b *builder) indexRules() {
	p := b.plan
	frequency := make([]int, len(p.fields))
	for i := range p.rules {
		seen := map[int32]bool{}
		b.countFields(p.rules[i].expr, seen)
		for f := range seen {
			frequency[f]++
		}
	}
	cost := make([]int, len(p.fields))
	for f := range p.fields {
		cost[f] = 1_000_000 - frequency[f]
		path := b.names[p.fields[f].alternatives[0].path]
		if i := slices.Index(preferred, fold(path[len(path)-1])); i >= 0 {
			cost[f] = i
		}
	}
	byField := map[int32]map[string][]int32{}
	need := map[int32]bool{} // paths of the first walk
	var weak []int           // rules that are found by a value that many records have
	for i := range p.rules {
		keys, worst, ok := b.keys(p.rules[i].expr, cost)
		if ok && worst >= len(preferred) {
			weak = append(weak, i)
		}
		if !ok {
			p.always = append(p.always, int32(i))
			b.pathsOf(p.rules[i].expr, need)
			continue
		}
		for _, k := range keys {
			if byField[k.field] == nil {
				byField[k.field] = map[string][]int32{}
				b.pathsOfField(k.field, need)
			}
			rules := byField[k.field][k.text]
			if len(rules) == 0 || rules[len(rules)-1] != int32(i) {
				byField[k.field][k.text] = append(rules, int32(i))
			}
		}
	}
	for f, rules := range byField {
		p.index = append(p.index, indexField{f, rules})
	}
	for _, i := range weak {
		if len(need) < maxFirstPaths {
			b.pathsOf(p.rules[i].expr, need)
		}
	}
	for i := range p.rules {
		own := map[int32]bool{}
		b.pathsOf(p.rules[i].expr, own)
		p.rules[i].first = true
		for path := range own {
			p.rules[i].first = p.rules[i].first && need[path]
		}
	}
	slices.SortFunc(p.index, func(x, y indexField) int { return int(x.field - y.field) })
	for id, path := range b.names {
		p.full.add(path, int32(id))
		if need[int32(id)] {
			p.first.add(path, int32(id))
		}
	}
	p.first.finish()
	p.full.finish()
}

func (b *builder) countFields(n *node, seen map[int32]bool) {
	if n.op == opTest {
		if t := &b.plan.tests[n.test]; t.kind == testSet && !t.keyword {
			seen[t.fieldID] = true
		}
	}
	for _, kid := range n.kids {
		b.countFields(kid, seen)
	}
}

// maxKeys is the most values by which one rule is indexed, and maxKeyBytes the longest of them: such a value stays below maxKey
// even with every character escaped in JSON. Rules beyond these limits are held against every record.
const (
	maxKeys     = 4096
	maxKeyBytes = 512
)

// keys lists values one of which a record must have for n to hold, and the greatest cost of their fields.
func (b *builder) keys(n *node, cost []int) (keys []key, worst int, ok bool) {
	switch n.op {
	case opTest:
		t := &b.plan.tests[n.test]
		if t.kind != testSet || t.keyword {
			return nil, 0, false
		}
		for _, text := range t.texts {
			if len(text) > maxKeyBytes {
				return nil, 0, false
			}
			keys = append(keys, key{t.fieldID, fold(text)})
		}
		return keys, cost[t.fieldID], len(keys) <= maxKeys
	case opAnd:
		for _, kid := range n.kids {
			if k, w, kidOK := b.keys(kid, cost); kidOK && (!ok || w < worst) {
				keys, worst, ok = k, w, true
			}
		}
		return keys, worst, ok
	case opOr, opAtLeast:
		for _, kid := range n.kids {
			k, w, kidOK := b.keys(kid, cost)
			if !kidOK {
				return nil, 0, false
			}
			keys, worst = append(keys, k...), max(worst, w)
		}
		return keys, worst, len(keys) > 0 && len(keys) <= maxKeys
	}
	return nil, 0, false
}

func (b *builder) pathsOf(n *node, need map[int32]bool) {
	if n.op == opTest {
		t := &b.plan.tests[n.test]
		for _, f := range []int32{t.fieldID, t.otherID} {
			if f >= 0 {
				b.pathsOfField(f, need)
			}
		}
	}
	for _, kid := range n.kids {
		b.pathsOf(kid, need)
	}
}

func (b *builder) pathsOfField(f int32, need map[int32]bool) {
	for _, a := range b.plan.fields[f].alternatives {
		need[a.path] = true
		for _, w := range a.when {
			need[w] = true
		}
	}
}

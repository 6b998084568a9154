package sigma

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Expr is a condition over one record: a test, or a combination of conditions. It is immutable.
type Expr struct {
	op   op
	kids []*Expr
	n    int   // of opAtLeast
	test *test // of opTest
}

type op uint8

const (
	opTest op = iota
	opAnd
	opOr
	opNot
	opAtLeast // at least n of kids
)

func combine(o op, kids []*Expr) *Expr {
	if len(kids) == 1 && o != opNot {
		return kids[0]
	}
	flat := make([]*Expr, 0, len(kids))
	for _, kid := range kids {
		if kid.op == o && (o == opAnd || o == opOr) {
			flat = append(flat, kid.kids...)
		} else {
			flat = append(flat, kid)
		}
	}
	return &Expr{op: o, kids: flat}
}

// maxCondition is the longest condition, in bytes: each name in it may stand for many searches.
const maxCondition = 8 << 10

// search is a named search of a rule's detection.
type search struct {
	name string
	expr *Expr
}

// condition reads a condition:
//
//	or    = and { "or" and }
//	and   = not { "and" not }
//	not   = "not" not | "(" or ")" | count "of" ( "them" | pattern ) | name
//	count = "all" | "any" | number
//
// Words count without case; names do not. An asterisk in a pattern stands for any characters.
type condition struct {
	p        *parser
	node     *yaml.Node
	searches []search
	used     map[string]bool
	tokens   []string
	depth    int
	failed   bool
}

func (c *condition) parse(text string) *Expr {
	if strings.Contains(text, "|") {
		c.p.unsupported(c.node, "aggregation in the condition", "write a correlation rule")
		return nil
	}
	if len(text) > maxCondition {
		return c.fail("condition: longer than %d bytes", maxCondition)
	}
	text = strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text)
	c.tokens = strings.Fields(text)
	if len(c.tokens) == 0 {
		c.p.broken(c.node, "condition: empty")
		return nil
	}
	e := c.or()
	if !c.failed && len(c.tokens) > 0 {
		c.fail("condition: unexpected %q", c.tokens[0])
	}
	if c.failed {
		return nil
	}
	return e
}

func (c *condition) fail(format string, args ...any) *Expr {
	if !c.failed {
		c.failed = true
		c.p.broken(c.node, format, args...)
	}
	return nil
}

// word reports whether the next token is the word, and takes it.
func (c *condition) word(word string) bool {
	if len(c.tokens) > 0 && strings.EqualFold(c.tokens[0], word) {
		c.tokens = c.tokens[1:]
		return true
	}
	return false
}

func (c *condition) or() *Expr  { return c.list("or", opOr, c.and) }
func (c *condition) and() *Expr { return c.list("and", opAnd, c.not) }

func (c *condition) list(word string, o op, next func() *Expr) *Expr {
	var kids []*Expr
	for {
		kid := next()
		if c.failed {
			return nil
		}
		kids = append(kids, kid)
		if !c.word(word) {
			return combine(o, kids)
		}
	}
}

func (c *condition) not() *Expr {
	if c.depth++; c.depth > maxNesting {
		return c.fail("condition: nested deeper than %d", maxNesting)
	}
	defer func() { c.depth-- }()
	switch {
	case len(c.tokens) == 0:
		return c.fail("condition: ends where a search is due")
	case c.word("not"):
		kid := c.not()
		if c.failed {
			return nil
		}
		return &Expr{op: opNot, kids: []*Expr{kid}}
	case c.word("("):
		e := c.or()
		if !c.failed && !c.word(")") {
			return c.fail("condition: a bracket is not closed")
		}
		return e
	case len(c.tokens) > 1 && strings.EqualFold(c.tokens[1], "of"):
		return c.of()
	}
	name := c.tokens[0]
	c.tokens = c.tokens[1:]
	switch strings.ToLower(name) {
	case "and", "or", "of", "them", ")":
		return c.fail("condition: unexpected %q", name)
	case "near":
		c.failed = true
		c.p.unsupported(c.node, "near in the condition", "write a correlation rule")
		return nil
	}
	for _, s := range c.searches {
		if s.name == name {
			c.used[name] = true
			return s.expr
		}
	}
	return c.fail("condition: no search is named %q", name)
}

func (c *condition) of() *Expr {
	count := strings.ToLower(c.tokens[0])
	c.tokens = c.tokens[2:]
	if len(c.tokens) == 0 {
		return c.fail("condition: ends after of")
	}
	pattern := c.tokens[0]
	c.tokens = c.tokens[1:]
	var kids []*Expr
	for _, s := range c.searches {
		var hit bool
		if strings.EqualFold(pattern, "them") {
			hit = !strings.HasPrefix(s.name, "_")
		} else {
			hit = matchName(pattern, s.name)
		}
		if hit {
			c.used[s.name] = true
			kids = append(kids, s.expr)
		}
	}
	if len(kids) == 0 {
		return c.fail("condition: no search is named like %q", pattern)
	}
	switch count {
	case "all":
		return combine(opAnd, kids)
	case "any", "1":
		return combine(opOr, kids)
	}
	n := 0
	for _, r := range count {
		if r < '0' || r > '9' || n > 1000 {
			return c.fail("condition: %q before of, want all, any or a number", count)
		}
		n = n*10 + int(r-'0')
	}
	if n < 1 || n > len(kids) {
		return c.fail("condition: %d of %d searches", n, len(kids))
	}
	return &Expr{op: opAtLeast, n: n, kids: kids}
}

// matchName reports whether an asterisk pattern matches a name.
func matchName(pattern, name string) bool {
	escaped := strings.NewReplacer(`\`, `\\`, "?", `\?`, "[", `\[`).Replace(pattern)
	ok, err := path.Match(escaped, strings.ReplaceAll(name, "/", "_"))
	return err == nil && ok
}

// detection reads the searches and the condition of a rule.
func (p *parser) detection(n *yaml.Node) {
	keys, ok := p.mapping(n)
	if !ok {
		return
	}
	var conditionNode *yaml.Node
	var searches []search
	for _, kv := range keys {
		switch kv.name {
		case "condition":
			conditionNode = kv.value
		case "timeframe":
			p.unsupported(kv.value, "timeframe", "write a correlation rule")
		default:
			if e := p.search(kv.value, 0); e != nil {
				searches = append(searches, search{kv.name, e})
			}
		}
	}
	if conditionNode == nil {
		p.broken(n, "detection: condition: required")
	}
	if p.failed {
		return
	}
	texts := p.texts(keyValue{name: "condition", value: conditionNode})
	used := map[string]bool{}
	var kids []*Expr
	for _, text := range texts { // several conditions are several rules of one title: any of them
		c := condition{p: p, node: conditionNode, searches: searches, used: used}
		if e := c.parse(text); e != nil {
			kids = append(kids, e)
		}
	}
	if p.failed {
		return
	}
	if len(kids) == 0 {
		p.broken(conditionNode, "detection: condition: required")
		return
	}
	p.rule.Condition = combine(opOr, kids)
	for _, s := range searches {
		if !used[s.name] && !strings.HasPrefix(s.name, "_") {
			p.add(conditionNode, Problem{Msg: "condition: the search " + s.name + " is not used", Warning: true})
		}
	}
	if slices.ContainsFunc(p.problems, func(x Problem) bool { return !x.Warning }) {
		p.failed = true
	}
}

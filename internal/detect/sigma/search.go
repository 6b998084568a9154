package sigma

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// kind is what a test does with the values of its field.
type kind uint8

const (
	testPattern kind = iota // one of patterns
	testSet                 // equal to one of texts
	testRegexp
	testCIDR
	testNumber // compared with number
	testExists
	testNull
	testField // compared with another field
	testTimePart
)

// test is one test of one field, or of the whole record when it is a keyword.
type test struct {
	field   string
	keyword bool
	kind    kind
	cased   bool

	texts   []string // folded unless cased; testSet
	pattern pattern  // folded unless cased
	regexp  string   // with its flags
	network netip.Prefix
	compare string // lt, lte, gt, gte, eq
	number  float64
	exists  bool
	other   string // field name
	shape   shape  // of testField: equal, prefix, suffix, contains
	part    string // of testTimePart: minute ... year
}

// maxValues is how many values one field of a rule may have; windash multiplies them.
const maxValues = 10_000

// search reads a search: a mapping (all must hold), a list of mappings or of keywords (any must hold), or one keyword.
func (p *parser) search(n *yaml.Node, depth int) *Expr {
	n = resolve(n)
	if depth > maxNesting {
		p.broken(n, "search: nested deeper than %d", maxNesting)
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		return p.fields(n)
	case yaml.SequenceNode:
		var kids []*Expr
		for _, entry := range n.Content {
			if e := p.search(entry, depth+1); e != nil {
				kids = append(kids, e)
			}
		}
		if len(n.Content) == 0 {
			p.broken(n, "search: empty list")
		}
		if len(kids) == 0 {
			return nil
		}
		return combine(opOr, kids)
	case yaml.ScalarNode:
		return p.field(keyValue{name: "", key: n, value: n})
	}
	p.broken(n, "search: is %s, want a mapping or a list", kindOf(n))
	return nil
}

func (p *parser) fields(n *yaml.Node) *Expr {
	keys, ok := p.mapping(n)
	if !ok {
		return nil
	}
	if len(keys) == 0 {
		p.broken(n, "search: empty")
		return nil
	}
	var kids []*Expr
	for _, kv := range keys {
		if e := p.field(kv); e != nil {
			kids = append(kids, e)
		}
	}
	if len(kids) == 0 {
		return nil
	}
	return combine(opAnd, kids)
}

// modifiers are the words after a field's name.
type modifiers struct {
	all, neg, cased, exists, fieldref bool
	anchor                            string // contains, startswith, endswith
	re                                bool
	flags                             string // of re
	cidr                              bool
	compare                           string
	part                              string
	encodings                         []string // in order: base64, base64offset, utf16le, utf16be, utf16, windash
}

func (p *parser) modifiers(kv keyValue, words []string) (m modifiers, ok bool) {
	// once takes a modifier that excludes others of its kind.
	once := func(kind *string, word string) bool {
		if *kind != "" && *kind != word {
			p.broken(kv.key, "%s: the modifiers %s and %s do not go together", kv.name, *kind, word)
			return false
		}
		*kind = word
		return true
	}
	for _, word := range words {
		switch word {
		case "all":
			m.all = true
		case "neq":
			m.neg = true
		case "cased":
			m.cased = true
		case "exists":
			m.exists = true
		case "fieldref":
			m.fieldref = true
		case "contains", "startswith", "endswith":
			if !once(&m.anchor, word) {
				return m, false
			}
		case "re":
			m.re = true
		case "i", "m", "s":
			if !m.re {
				p.broken(kv.key, "%s: the modifier %s stands behind re", kv.name, word)
				return m, false
			}
			m.flags += word
		case "cidr":
			m.cidr = true
		case "lt", "lte", "gt", "gte":
			if !once(&m.compare, word) {
				return m, false
			}
		case "minute", "hour", "day", "week", "month", "year":
			if !once(&m.part, word) {
				return m, false
			}
		case "base64", "base64offset", "utf16le", "utf16be", "utf16", "windash":
			m.encodings = append(m.encodings, word)
		case "wide":
			m.encodings = append(m.encodings, "utf16le")
		case "expand":
			p.unsupported(kv.key, "modifier expand", "%s: write the values instead of the placeholder", kv.name)
			return m, false
		default:
			p.unsupported(kv.key, "modifier "+word, "%s", kv.name)
			return m, false
		}
	}
	return m, true
}

// field reads one field with its modifiers and values.
func (p *parser) field(kv keyValue) *Expr {
	words := strings.Split(kv.name, "|")
	m, ok := p.modifiers(kv, words[1:])
	if !ok {
		return nil
	}
	base := test{field: strings.TrimSpace(words[0]), cased: m.cased}
	base.keyword = base.field == ""
	values := []*yaml.Node{kv.value}
	if kv.value.Kind == yaml.SequenceNode {
		values = kv.value.Content
	}
	if len(values) == 0 {
		p.broken(kv.value, "%s: empty list", kv.name)
		return nil
	}
	if len(values) > maxValues {
		p.broken(kv.value, "%s: more than %d values", kv.name, maxValues)
		return nil
	}
	var kids []*Expr
	set := base
	set.kind = testSet
	for _, n := range values {
		n = resolve(n)
		if n.Kind != yaml.ScalarNode {
			p.broken(n, "%s: a value is %s, want a single value", kv.name, kindOf(n))
			return nil
		}
		tests := p.value(kv, n, base, &m)
		if tests == nil {
			return nil
		}
		if len(tests) == 1 && tests[0].kind == testSet && !m.all {
			set.texts = append(set.texts, tests[0].texts...)
			continue
		}
		each := make([]*Expr, len(tests))
		for i := range tests {
			each[i] = &Expr{op: opTest, test: &tests[i]}
		}
		kids = append(kids, combine(opOr, each))
	}
	if len(set.texts) > 0 {
		slices.Sort(set.texts)
		set.texts = slices.Compact(set.texts)
		kids = append(kids, &Expr{op: opTest, test: &set})
	}
	o := opOr
	if m.all {
		o = opAnd
	}
	e := combine(o, kids)
	if m.neg {
		e = &Expr{op: opNot, kids: []*Expr{e}}
	}
	return e
}

// value makes the tests of one value; any of them may hold. nil means that a problem was added.
func (p *parser) value(kv keyValue, n *yaml.Node, base test, m *modifiers) []test {
	bad := func(format string, args ...any) []test {
		p.broken(n, kv.name+": "+format, args...)
		return nil
	}
	t := base
	special := 0
	for _, on := range []bool{m.re, m.cidr, m.compare != "" && m.part == "", m.exists, m.part != "", m.fieldref} {
		if on {
			special++
		}
	}
	if special > 1 || special == 1 && len(m.encodings) > 0 || m.anchor != "" && special == 1 && !m.fieldref {
		return bad("these modifiers do not go together")
	}
	if t.keyword && special > 0 && !m.re {
		return bad("a keyword cannot have this modifier")
	}
	if n.Tag == "!!null" {
		if t.keyword || special > 0 || m.anchor != "" || len(m.encodings) > 0 {
			return bad("null cannot have a modifier")
		}
		t.kind = testNull
		return []test{t}
	}
	switch {
	case m.re:
		t.kind = testRegexp
		t.regexp = n.Value
		if m.flags != "" {
			t.regexp = "(?" + m.flags + ")" + n.Value
		}
		if _, err := regexp.Compile(t.regexp); err != nil {
			if strings.Contains(err.Error(), "Perl syntax") || strings.Contains(err.Error(), "invalid escape") || strings.Contains(n.Value, "(?<") {
				p.unsupported(n, "regular expression", "%s: %v", kv.name, err)
				return nil
			}
			return bad("%v", err)
		}
		return []test{t}
	case m.cidr:
		network, err := netip.ParsePrefix(n.Value)
		if addr := network.Addr(); addr.Is4In6() && network.Bits() >= 96 { // addresses are compared as IPv4 ones
			network = netip.PrefixFrom(addr.Unmap(), network.Bits()-96)
		}
		if err != nil {
			return bad("%q is no network in CIDR notation", n.Value)
		}
		t.kind, t.network = testCIDR, network.Masked()
		return []test{t}
	case m.exists:
		if n.Tag != "!!bool" {
			return bad("exists wants true or false")
		}
		t.kind, t.exists = testExists, strings.EqualFold(n.Value, "true")
		return []test{t}
	case m.part != "" || m.compare != "":
		number, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			return bad("%q is no number", n.Value)
		}
		t.kind, t.number, t.compare, t.part = testNumber, number, m.compare, m.part
		if m.part != "" {
			t.kind = testTimePart
			if t.compare == "" {
				t.compare = "eq"
			}
		}
		return []test{t}
	case m.fieldref:
		t.kind, t.other, t.shape = testField, n.Value, equal
		switch m.anchor {
		case "startswith":
			t.shape = prefix
		case "endswith":
			t.shape = suffix
		case "contains":
			t.shape = contains
		}
		if t.other == "" {
			return bad("fieldref wants the name of a field")
		}
		return []test{t}
	}
	patterns, err := encode(parsePattern(scalar(n)), m.encodings)
	if err != nil {
		return bad("%v", err)
	}
	tests := make([]test, 0, len(patterns))
	for _, pat := range patterns {
		switch m.anchor {
		case "contains":
			pat = pat.endsWith().startsWith()
		case "startswith":
			pat = pat.startsWith()
		case "endswith":
			pat = pat.endsWith()
		}
		if t.keyword {
			pat = pat.endsWith().startsWith()
		}
		if !t.cased {
			pat = pat.mapLiterals(fold)
		}
		one := t
		if text, ok := pat.plain(); ok {
			one.kind, one.texts = testSet, []string{text}
		} else {
			one.kind, one.pattern = testPattern, pat
		}
		tests = append(tests, one)
	}
	return tests
}

// scalar is the text that a value is compared as: numbers in their canonical form, everything else as it is written.
func scalar(n *yaml.Node) string {
	switch n.Tag {
	case "!!int", "!!float":
		if text, ok := canonicalNumber(n.Value); ok {
			return text
		}
	case "!!bool":
		return strings.ToLower(n.Value)
	}
	return n.Value
}

// canonicalNumber writes a JSON number so that equal numbers have equal texts: 50097, 50097.0 and 5.0097e4 are the same.
func canonicalNumber(text string) (string, bool) {
	plain := len(text) > 0 && len(text) <= 19
	for i := 0; plain && i < len(text); i++ {
		if (text[i] < '0' || text[i] > '9') && (i > 0 || text[i] != '-') {
			plain = false
		}
	}
	if plain && text != "-0" && (text == "0" || strings.TrimPrefix(text, "-")[:1] != "0") {
		return text, true
	}
	if len(text) > 64 || len(text) > 1 && text[0] == '0' && '0' <= text[1] && text[1] <= '9' { // 0123 in YAML is an id
		return text, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text, false
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10), true
	}
	return strconv.FormatFloat(f, 'g', -1, 64), true
}

// dashes are the characters that begin an option of a Windows command.
const dashes = "-/–—―"

// encode applies encodings in their order. Each pattern may become several.
func encode(start pattern, encodings []string) ([]pattern, error) {
	patterns := []pattern{start}
	for _, encoding := range encodings {
		var next []pattern
		for _, pat := range patterns {
			if encoding == "windash" {
				if next = append(next, windash(pat)...); len(next) > maxValues {
					break
				}
				continue
			}
			text, ok := pat.plain()
			if !ok {
				return nil, fmt.Errorf("%s of a value with wildcards", encoding)
			}
			switch encoding {
			case "base64":
				next = append(next, pattern{{literal, base64.StdEncoding.EncodeToString([]byte(text))}})
			case "base64offset":
				for offset := range 3 {
					next = append(next, pattern{{literal, base64At(text, offset)}})
				}
			case "utf16le":
				next = append(next, pattern{{literal, encode16(text, binary.LittleEndian)}})
			case "utf16be":
				next = append(next, pattern{{literal, encode16(text, binary.BigEndian)}})
			case "utf16":
				next = append(next, pattern{{literal, "\xff\xfe" + encode16(text, binary.LittleEndian)}})
			}
		}
		if patterns = next; len(patterns) > maxValues {
			return nil, fmt.Errorf("%s makes more than %d values", encoding, maxValues)
		}
	}
	return patterns, nil
}

// windash writes each dash that an option begins with in every way, more than maxValues of them if there are many. As for pySigma
// such a dash stands before a letter or digit and behind none.
func windash(pat pattern) []pattern {
	made := []pattern{{}}
	extend := func(x part, variants ...string) {
		var next []pattern
		for _, m := range made {
			for _, v := range variants {
				next = append(next, append(slices.Clone(m), part{x.kind, v}))
			}
			if len(next) > maxValues {
				break
			}
		}
		made = next
	}
	for _, x := range pat {
		before, from := ' ', 0
		for i, r := range x.text {
			after, _ := utf8.DecodeRuneInString(x.text[i+utf8.RuneLen(r):])
			if strings.ContainsRune(dashes, r) && !isWord(before) && isWord(after) {
				if from < i {
					extend(x, x.text[from:i])
				}
				extend(x, strings.Split(dashes, "")...)
				from = i + utf8.RuneLen(r)
			}
			before = r
		}
		if from < len(x.text) || x.kind != literal {
			extend(x, x.text[from:])
		}
	}
	for i, m := range made {
		made[i] = m.joined()
	}
	return made
}

func isWord(r rune) bool {
	return r != utf8.RuneError && (r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r))
}

// base64At is the part of the Base64 text that does not depend on what stands before and after, when the text begins
// offset bytes into a group of three.
func base64At(text string, offset int) string {
	padded := strings.Repeat(" ", offset) + text
	encoded := base64.StdEncoding.EncodeToString([]byte(padded))
	start := [...]int{0, 2, 3}[offset]
	end := len(encoded) - [...]int{0, 3, 2}[len(padded)%3]
	if start >= end {
		return ""
	}
	return encoded[start:end]
}

func encode16(text string, order binary.AppendByteOrder) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// Search reads a search as a rule of the same log source would have it, for conditions of a rule's own extension.
func (r *Rule) Search(n *yaml.Node) (*Expr, []Problem) {
	p := &parser{rule: r}
	e := p.search(n, 0)
	if p.failed {
		return nil, p.problems
	}
	return e, p.problems
}

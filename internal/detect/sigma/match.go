package sigma

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// Matcher holds records against the rules of an engine, one after the other. It keeps scratch memory and is for one
// goroutine at a time.
type Matcher struct {
	engine *Engine
	plan   *plan
	body   string
	isFull bool

	spans        []span
	heads, tails []int32 // slots of each path
	slots        []slot
	arena        []byte       // folded and decoded texts
	body2        [2]textRange // the body folded, and decoded and folded

	generation uint32
	memo       []uint32 // of each test: generation<<1 | result
	seen       []uint32 // of each rule: generation in which it became a candidate
	candidates []int32
	hits       []Hit
}

// Hit is a rule that matches the record that was matched last.
type Hit struct {
	Entry int   // in the entries of the engine
	rule  int32 // in the plan
}

// Scratch that a matcher keeps from one batch to the next; a hostile record may have asked for more.
const (
	maxArena = 1 << 20 // bytes
	maxSlots = 1 << 14
)

// NewMatcher makes a matcher.
func (e *Engine) NewMatcher() *Matcher { return &Matcher{engine: e} }

// Match finds the rules that match a record: a JSON object that was checked before, of a log type. The hits are in the
// order of the entries and valid until the next call. A record that is no JSON object matches nothing.
func (m *Matcher) Match(logType, body string) []Hit {
	m.hits = m.hits[:0]
	m.plan = m.engine.plan(logType)
	if m.plan == nil {
		return nil
	}
	m.reset(body)
	if !m.walk(&m.plan.first) {
		return nil
	}
	m.candidates = append(m.candidates[:0], m.plan.always...)
	needsMore := m.lookUp()
	sortInts(m.candidates)
	if needsMore {
		m.fill()
	}
	for _, r := range m.candidates {
		if m.holds(m.plan.rules[r].expr) {
			m.hits = append(m.hits, Hit{Entry: int(m.plan.rules[r].entry), rule: r})
		}
	}
	return m.hits
}

// Wants reports whether any rule is about records of a log type.
func (m *Matcher) Wants(logType string) bool { return m.engine.plan(logType) != nil }

// Extra reports whether a further condition of a rule that matched holds.
func (m *Matcher) Extra(hit Hit, i int) bool {
	m.fill()
	return m.holds(m.plan.rules[hit.rule].extra[i])
}

// Release lets go of the record.
func (m *Matcher) Release() {
	m.body = ""
	clear(m.spans)
	clear(m.slots)
	if cap(m.arena) > maxArena {
		m.arena = nil
	}
	if cap(m.slots) > maxSlots {
		m.slots = nil
	}
}

// reset prepares for a record.
func (m *Matcher) reset(body string) {
	m.body, m.isFull = body, false
	p := m.plan
	if len(m.heads) < p.paths {
		m.heads, m.tails = make([]int32, p.paths), make([]int32, p.paths)
	}
	if len(m.memo) < len(p.tests) {
		m.memo = make([]uint32, len(p.tests))
	}
	if len(m.seen) < len(p.rules) {
		m.seen = make([]uint32, len(p.rules))
	}
	m.nextGeneration()
}

// nextGeneration forgets the results of all tests.
func (m *Matcher) nextGeneration() {
	m.generation++
	if m.generation >= 1<<31-1 {
		m.generation = 1
		clear(m.memo)
		clear(m.seen)
	}
}

// fill reads every field, not only those of the index.
func (m *Matcher) fill() {
	if m.isFull {
		return
	}
	m.isFull = true
	m.walk(&m.plan.full)
	m.nextGeneration()
}

// maxKey is the longest text that is looked up in the index, in bytes; a longer one cannot be in it.
const maxKey = 4096

// lookUp adds the rules that are found by a value of the record. It reports whether one of them asks for more than the
// first walk has read.
func (m *Matcher) lookUp() (needsMore bool) {
	for i := range m.plan.index {
		f := &m.plan.index[i]
		it := m.values(f.field)
		for s, a := it.next(); s != nil; s, a = it.next() {
			if len(s.text) > maxKey {
				continue
			}
			for _, r := range f.rules[string(m.text(s, a, true))] {
				if m.seen[r] != m.generation {
					m.seen[r] = m.generation
					m.candidates = append(m.candidates, r)
					needsMore = needsMore || !m.plan.rules[r].first
				}
			}
		}
	}
	return needsMore
}

// sortInts sorts a few numbers.
func sortInts(list []int32) {
	for i := 1; i < len(list); i++ {
		for j := i; j > 0 && list[j] < list[j-1]; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

func (m *Matcher) holds(n *node) bool {
	switch n.op {
	case opTest:
		return m.test(n.test)
	case opAnd:
		for _, kid := range n.kids {
			if !m.holds(kid) {
				return false
			}
		}
		return true
	case opOr:
		for _, kid := range n.kids {
			if m.holds(kid) {
				return true
			}
		}
		return false
	case opNot:
		return !m.holds(n.kids[0])
	}
	count := 0
	for _, kid := range n.kids {
		if m.holds(kid) {
			if count++; count >= n.n {
				return true
			}
		}
	}
	return false
}

func (m *Matcher) test(id int32) bool {
	if memo := m.memo[id]; memo>>1 == m.generation {
		return memo&1 == 1
	}
	memo := m.generation << 1
	result := m.make(&m.plan.tests[id])
	if result {
		memo |= 1
	}
	m.memo[id] = memo
	return result
}

// make makes a test.
func (m *Matcher) make(t *compiled) bool {
	if t.keyword {
		return m.keyword(t)
	}
	switch t.kind {
	case testExists:
		return m.exists(t.fieldID) == t.exists
	case testNull:
		it := m.values(t.fieldID)
		s, _ := it.next()
		return s == nil
	case testField:
		return m.compareFields(t)
	}
	it := m.values(t.fieldID)
	for s, a := it.next(); s != nil; s, a = it.next() {
		if m.value(t, s, a) {
			return true
		}
	}
	return false
}

// value makes a test of one value.
func (m *Matcher) value(t *compiled, s *slot, a *planAlternative) bool {
	switch t.kind {
	case testSet, testPattern:
		if t.accepts(m.text(s, a, !t.cased)) {
			return true
		}
		// Objects and lists are looked at as their JSON text, and once more with the escapes of the strings in it decoded.
		return t.kind == testPattern && isContainer(s.kind) && strings.IndexByte(s.text, '\\') >= 0 && t.accepts(m.unescaped(s.text, !t.cased))
	case testRegexp:
		b := m.text(s, a, false)
		if bytes.Contains(b, t.needs) && t.re.Match(b) {
			return true
		}
		if isContainer(s.kind) && strings.IndexByte(s.text, '\\') >= 0 {
			b = m.unescaped(s.text, false)
			return bytes.Contains(b, t.needs) && t.re.Match(b)
		}
		return false
	case testCIDR:
		if s.kind != jsonscan.String {
			return false
		}
		addr, err := netip.ParseAddr(string(m.text(s, a, false)))
		return err == nil && t.network.Contains(addr.Unmap().WithZone(""))
	case testNumber:
		if s.kind != jsonscan.Number { // a text with digits is a text
			return false
		}
		f, err := strconv.ParseFloat(s.text, 64)
		return err == nil && compare(t.compare, f, t.number)
	case testTimePart:
		part, ok := timePart(t.part, string(m.text(s, a, false)))
		return ok && compare(t.compare, part, t.number)
	}
	return false
}

func compare(how string, x, y float64) bool {
	switch how {
	case "lt":
		return x < y
	case "lte":
		return x <= y
	case "gt":
		return x > y
	case "gte":
		return x >= y
	}
	return x == y
}

// timeLayouts are the forms of times in records: RFC 3339 and Panther's.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999"}

// timePart takes a number out of a time, in the zone it is written in.
func timePart(part, text string) (float64, bool) {
	for _, layout := range timeLayouts {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		switch part {
		case "minute":
			return float64(t.Minute()), true
		case "hour":
			return float64(t.Hour()), true
		case "day":
			return float64(t.Day()), true
		case "week":
			_, week := t.ISOWeek()
			return float64(week), true
		case "month":
			return float64(t.Month()), true
		}
		return float64(t.Year()), true
	}
	return 0, false
}

// accepts compares a text, folded unless the test is cased.
func (t *compiled) accepts(b []byte) bool {
	if t.kind == testPattern {
		return t.matchText(b)
	}
	if t.set != nil {
		_, ok := t.set[string(b)]
		return ok
	}
	for _, text := range t.texts {
		if string(b) == text {
			return true
		}
	}
	return false
}

// keyword looks for a text anywhere in the record: in its JSON text, and in that with the escapes decoded.
func (m *Matcher) keyword(t *compiled) bool {
	if t.kind == testRegexp {
		return t.re.MatchString(m.body)
	}
	if t.cased {
		return t.accepts([]byte(m.body)) || strings.IndexByte(m.body, '\\') >= 0 && t.accepts(jsonscan.AppendUnquoted(nil, m.body))
	}
	for variant := range m.body2 {
		if variant == 1 && strings.IndexByte(m.body, '\\') < 0 {
			break
		}
		r := &m.body2[variant]
		if r.from == 0 {
			from := len(m.arena)
			if variant == 0 {
				m.arena = appendFold(m.arena, m.body)
			} else {
				m.arena = append(m.arena, m.unescaped(m.body, true)...)
			}
			*r = textRange{int32(from), int32(len(m.arena))}
		}
		if t.accepts(m.arena[r.from:r.to]) {
			return true
		}
	}
	return false
}

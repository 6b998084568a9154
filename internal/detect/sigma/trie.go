package sigma

import "github.com/siempipe/siempipe/internal/jsonscan"

// trie holds the paths that one walk over a record looks for.
type trie struct {
	nodes []trieNode // the first is the record itself
}

type trieNode struct {
	name, folded string
	path         int32 // that ends here, -1 for none
	children     []int32
	byLength     [][]int32 // children by the length of their folded names
}

func (t *trie) add(path []string, id int32) {
	if len(t.nodes) == 0 {
		t.nodes = []trieNode{{path: -1}}
	}
	at := int32(0)
	for _, segment := range path {
		next := int32(-1)
		for _, c := range t.nodes[at].children {
			if t.nodes[c].name == segment {
				next = c
			}
		}
		if next < 0 {
			next = int32(len(t.nodes))
			t.nodes = append(t.nodes, trieNode{name: segment, folded: fold(segment), path: -1})
			t.nodes[at].children = append(t.nodes[at].children, next)
		}
		at = next
	}
	t.nodes[at].path = id
}

func (t *trie) finish() {
	for i := range t.nodes {
		n := &t.nodes[i]
		for _, c := range n.children {
			length := len(t.nodes[c].folded)
			for len(n.byLength) <= length {
				n.byLength = append(n.byLength, nil)
			}
			n.byLength[length] = append(n.byLength[length], c)
		}
	}
}

// span is the position of the value of a trie node in the object that is being read.
type span struct {
	text  string
	kind  jsonscan.Kind
	exact bool // the name is spelled as in the path
	done  bool // its members are read already
}

// slot is a value of a path; next chains the values of the same path, 0 ends the chain.
type slot struct {
	text    string
	kind    jsonscan.Kind
	next    int32
	folded  textRange
	decoded textRange
}

// textRange is a piece of the arena, from 0 when it was not made yet.
type textRange struct{ from, to int32 }

// walk fills the slots of the paths of t from a record.
func (m *Matcher) walk(t *trie) (ok bool) {
	clear(m.heads[:m.plan.paths])
	m.slots = append(m.slots[:0], slot{}) // 0 is no slot
	m.arena = append(m.arena[:0], 0)
	m.body2 = [2]textRange{}
	if len(t.nodes) == 0 {
		return true
	}
	i := jsonscan.SkipBlanks(m.body, 0)
	if i >= len(m.body) || m.body[i] != '{' {
		return false
	}
	for len(m.spans) < len(t.nodes) {
		m.spans = append(m.spans, span{})
	}
	m.object(t, 0, m.body, i, 1, false)
	return true
}

// object reads the members of the object that begins at i of s, for the children of node n. With toEnd it returns the
// index after the object, or ok false when it does not end as an object does.
func (m *Matcher) object(t *trie, n int32, s string, i, depth int, toEnd bool) (end int, ok bool) {
	nd := &t.nodes[n]
	for _, c := range nd.children {
		m.spans[c] = span{}
	}
	left := len(nd.children)
	var scratch [4]int32
	for o := newMembers(s, i); ; {
		if left == 0 || !o.nextKey() {
			i = o.i
			break
		}
		hits, exact := scratch[:0], int32(-1)
		name := o.key
		length := len(name)
		if o.odd {
			name = jsonscan.Unquote(name)
			length = len(fold(name))
		}
		if length < len(nd.byLength) {
			for _, c := range nd.byLength[length] {
				sp, child := &m.spans[c], &t.nodes[c]
				switch {
				case sp.exact:
				case name == child.name:
					sp.exact = true
					left--
					hits, exact = append(hits, c), c
				case sp.kind == jsonscan.None && equalFold(name, child.folded):
					hits = append(hits, c)
				}
			}
		}
		if len(hits) == 1 && exact >= 0 && s[o.at] == '{' && len(t.nodes[exact].children) > 0 && depth < jsonscan.MaxDepth {
			// Nothing but this child asks for the member: what is inside need not be gone over twice.
			if after, ok := m.object(t, exact, s, o.at, depth+1, true); ok {
				m.spans[exact].kind, m.spans[exact].done = jsonscan.Object, true
				if path := t.nodes[exact].path; path >= 0 {
					m.addSlot(path, s[o.at:after], jsonscan.Object)
				}
				o.i = after
				continue
			}
		}
		if !o.skipValue() {
			i = o.i
			break
		}
		for _, c := range hits {
			m.spans[c].text, m.spans[c].kind = o.text, o.kind
		}
	}
	if toEnd {
		end, ok = jsonscan.SkipOut(s, i)
	}
	for _, c := range nd.children {
		if sp := m.spans[c]; sp.kind != jsonscan.None && !sp.done {
			m.found(t, c, sp.text, sp.kind, depth)
		}
	}
	return end, ok
}

// found takes the value of node c.
func (m *Matcher) found(t *trie, c int32, text string, kind jsonscan.Kind, depth int) {
	nd := &t.nodes[c]
	if nd.path >= 0 {
		m.addSlot(nd.path, text, kind)
	}
	switch {
	case depth >= jsonscan.MaxDepth:
	case kind == jsonscan.Object && len(nd.children) > 0:
		m.object(t, c, text, 0, depth+1, false)
	case kind == jsonscan.Array:
		for e := newElements(text, 0); e.next(); {
			m.found(t, c, e.text, e.kind, depth+1)
		}
	}
}

func (m *Matcher) addSlot(path int32, text string, kind jsonscan.Kind) {
	id := int32(len(m.slots))
	m.slots = append(m.slots, slot{text: text, kind: kind})
	if head := &m.heads[path]; *head == 0 {
		*head = id
	} else {
		m.slots[m.tails[path]].next = id
	}
	m.tails[path] = id
}

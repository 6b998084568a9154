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

// span is where the value of a trie node stands in the object that is being read.
type span struct {
	text  string
	kind  jsonscan.Kind
	exact bool // the name is spelled as in the path
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
	m.object(t, 0, m.body[i:], 1)
	return true
}

// object reads the members of the object that s begins with, for the children of node n.
func (m *Matcher) object(t *trie, n int32, s string, depth int) {
	nd := &t.nodes[n]
	for _, c := range nd.children {
		m.spans[c].kind = jsonscan.None
	}
	left := len(nd.children)
	for o := newMembers(s, 0); left > 0 && o.next(); {
		name := o.key
		if o.odd {
			name = jsonscan.Unquote(name)
		}
		length := len(name)
		if o.odd {
			length = len(fold(name))
		}
		if length >= len(nd.byLength) {
			continue
		}
		for _, c := range nd.byLength[length] {
			sp := &m.spans[c]
			if sp.kind != jsonscan.None && sp.exact {
				continue
			}
			child := &t.nodes[c]
			switch {
			case name == child.name:
				sp.text, sp.kind, sp.exact = o.text, o.kind, true
				left--
			case sp.kind == jsonscan.None && equalFold(name, child.folded):
				sp.text, sp.kind, sp.exact = o.text, o.kind, false
			}
		}
	}
	for _, c := range nd.children {
		if sp := m.spans[c]; sp.kind != jsonscan.None {
			m.found(t, c, sp.text, sp.kind, depth)
		}
	}
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
		m.object(t, c, text, depth+1)
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

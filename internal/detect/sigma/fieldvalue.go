package sigma

import (
	"bytes"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

func isContainer(k jsonscan.Kind) bool { return k == jsonscan.Object || k == jsonscan.Array }

// unescaped is a JSON text with the escapes of the strings in it decoded, once.
func (m *Matcher) unescaped(text string, folded bool) []byte {
	decoded := jsonscan.AppendUnquoted(nil, text)
	if folded {
		return appendFold(nil, string(decoded))
	}
	return decoded
}

// text is the text of a value, folded or not. It is valid until the next walk.
func (m *Matcher) text(s *slot, a *planAlternative, folded bool) []byte {
	if a != nil && !a.plain && a.transforms() {
		v := Value{Kind: s.kind, Raw: s.text}
		text := a.transform(v.Text())
		if folded {
			text = fold(text)
		}
		return []byte(text)
	}
	r := &s.decoded
	if folded {
		r = &s.folded
	}
	if r.from > 0 {
		return m.arena[r.from:r.to]
	}
	from := len(m.arena)
	switch {
	case s.kind == jsonscan.String:
		inner := s.text[1 : len(s.text)-1]
		switch {
		case strings.IndexByte(inner, '\\') >= 0:
			m.arena = jsonscan.AppendUnquoted(m.arena, inner)
			if folded {
				m.arena = append(m.arena[:from], fold(string(m.arena[from:]))...)
			}
		case folded:
			m.arena = appendFold(m.arena, inner)
		default:
			m.arena = append(m.arena, inner...)
		}
	case s.kind == jsonscan.Number:
		text, _ := canonicalNumber(s.text)
		m.arena = append(m.arena, text...)
	case folded:
		m.arena = appendFold(m.arena, s.text)
	default:
		m.arena = append(m.arena, s.text...)
	}
	*r = textRange{int32(from), int32(len(m.arena))}
	return m.arena[from:]
}

// values goes over the values of a field that are not null.
type values struct {
	m     *Matcher
	field *planField
	alt   int
	slot  int32
	begun bool // within an alternative
	found bool // the alternative has a value
}

func (m *Matcher) values(field int32) values { return values{m: m, field: &m.plan.fields[field]} }

func (it *values) next() (*slot, *planAlternative) {
	for it.alt < len(it.field.alternatives) {
		a := &it.field.alternatives[it.alt]
		if !it.begun {
			it.begun, it.found = true, false
			it.slot = 0
			if a.plain || it.m.guarded(a) {
				it.slot = it.m.heads[a.path]
			}
		} else if it.slot != 0 {
			it.slot = it.m.slots[it.slot].next
		}
		for it.slot != 0 {
			if s := &it.m.slots[it.slot]; s.kind != jsonscan.Null {
				it.found = true
				return s, a
			}
			it.slot = it.m.slots[it.slot].next
		}
		if it.found && !it.field.union {
			it.alt = len(it.field.alternatives)
			break
		}
		it.begun = false
		it.alt++
	}
	return nil, nil
}

// guarded reports whether the guards of an alternative hold.
func (m *Matcher) guarded(a *planAlternative) bool {
	for i, path := range a.when {
		ok := false
		for id := m.heads[path]; id != 0; id = m.slots[id].next {
			ok = ok || a.alternative.when[i].allows(string(m.text(&m.slots[id], nil, false)))
		}
		if !ok {
			return false
		}
	}
	return true
}

func (m *Matcher) exists(field int32) bool {
	f := &m.plan.fields[field]
	for i := range f.alternatives {
		if a := &f.alternatives[i]; m.heads[a.path] != 0 && m.guarded(a) {
			return true
		}
	}
	return false
}

// compareFields reports whether a value of the one field equals (begins with, ...) a value of the other.
func (m *Matcher) compareFields(t *compiled) bool {
	it := m.values(t.fieldID)
	for s, a := it.next(); s != nil; s, a = it.next() {
		x := m.text(s, a, !t.cased)
		others := m.values(t.otherID)
		for o, b := others.next(); o != nil; o, b = others.next() {
			y := m.text(o, b, !t.cased)
			var hit bool
			switch t.shape {
			case prefix:
				hit = bytes.HasPrefix(x, y)
			case suffix:
				hit = bytes.HasSuffix(x, y)
			case contains:
				hit = bytes.Contains(x, y)
			default:
				hit = bytes.Equal(x, y)
			}
			if hit {
				return true
			}
		}
	}
	return false
}

package sigma

import (
	"bytes"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// Value is one value of a field: JSON text of the record. It keeps the record alive.
type Value struct {
	Kind jsonscan.Kind
	Raw  string // its JSON text
	text string // what a mapping made of it
	set  bool
}

// Text is the decoded text of a string, and the JSON text of every other kind.
func (v Value) Text() string {
	if v.set {
		return v.text
	}
	if v.Kind == jsonscan.String && len(v.Raw) >= 2 {
		return jsonscan.Unquote(v.Raw[1 : len(v.Raw)-1])
	}
	return v.Raw
}

// AppendJSON appends the value as JSON.
func (v Value) AppendJSON(dst []byte) []byte {
	if v.set {
		return jsonscan.AppendQuoted(dst, v.text)
	}
	return append(dst, v.Raw...)
}

// Field is a field of one log source, ready to be read out of records. It is immutable and safe for concurrent use.
type Field struct {
	Name string
	row  fieldRow
}

// Field finds a field in the records of a log source.
func (m *Mapping) Field(l LogSource, name string) Field {
	return Field{Name: name, row: m.resolve(l, name)}
}

// Values appends the values that the field has in a record, a JSON object. With deep it goes into lists; without, a
// list is one value. A null counts as a value.
func (f *Field) Values(dst []Value, record string, deep bool) []Value {
	for i := range f.row.alternatives {
		a := &f.row.alternatives[i]
		if !a.holds(record) {
			continue
		}
		from := len(dst)
		dst = lookup(dst, record, a.path, deep, 0)
		present := false
		for j := from; j < len(dst); j++ {
			v := &dst[j]
			if v.Kind == jsonscan.Null {
				continue
			}
			present = true
			if a.transforms() {
				v.text, v.set = a.transform(v.Text()), true
			}
		}
		if present && !f.row.union {
			return dst
		}
		if !present && i+1 < len(f.row.alternatives) {
			dst = dst[:from]
		}
	}
	return dst
}

// First is the first value that is not null.
func (f *Field) First(record string) (Value, bool) {
	var scratch [4]Value
	for _, v := range f.Values(scratch[:0], record, false) {
		if v.Kind != jsonscan.Null {
			return v, true
		}
	}
	return Value{}, false
}

func (a *alternative) transforms() bool { return a.after != "" || a.values != nil || a.hasElse }

func (a *alternative) transform(text string) string {
	if a.after != "" {
		if i := strings.LastIndex(text, a.after); i >= 0 {
			text = text[i+len(a.after):]
		}
	}
	if to, ok := a.values[text]; ok {
		return to
	}
	if a.hasElse {
		return a.other
	}
	return text
}

func (a *alternative) holds(record string) bool {
	for i := range a.when {
		g := &a.when[i]
		var scratch [4]Value
		ok := false
		for _, v := range lookup(scratch[:0], record, g.path, true, 0) {
			ok = ok || g.allows(v.Text())
		}
		if !ok {
			return false
		}
	}
	return true
}

func (g *guard) allows(text string) bool {
	for _, allowed := range g.values {
		if text == allowed {
			return true
		}
	}
	return false
}

// Lookup appends the values at a path of a record, a JSON object, as Field.Values does.
func Lookup(dst []Value, record string, path ...string) []Value {
	return lookup(dst, record, path, true, 0)
}

// lookup steps into objects by name (the exact one, else the first that is equal without case) and into every element of
// a list on the way; with deep also into a list at the end.
func lookup(dst []Value, s string, path []string, deep bool, depth int) []Value {
	if depth > jsonscan.MaxDepth {
		return dst
	}
	i := jsonscan.SkipBlanks(s, 0)
	if i >= len(s) {
		return dst
	}
	if s[i] == '[' {
		for e := newElements(s, i); e.next(); {
			if len(path) > 0 || e.kind == jsonscan.Array {
				dst = lookup(dst, e.text, path, deep, depth+1)
			} else {
				dst = append(dst, Value{Kind: e.kind, Raw: e.text})
			}
		}
		return dst
	}
	if len(path) == 0 || s[i] != '{' {
		return dst
	}
	var hit string
	var hitKind jsonscan.Kind
	folded := fold(path[0])
	for o := newMembers(s, i); o.next(); {
		key := o.key
		if o.odd {
			key = jsonscan.Unquote(key)
		}
		if key == path[0] {
			hit, hitKind = o.text, o.kind
			break
		}
		if hitKind == jsonscan.None && equalFold(key, folded) {
			hit, hitKind = o.text, o.kind
		}
	}
	switch {
	case hitKind == jsonscan.None:
		return dst
	case len(path) > 1:
		if hitKind == jsonscan.Object || hitKind == jsonscan.Array {
			return lookup(dst, hit, path[1:], deep, depth+1)
		}
		return dst
	case deep && hitKind == jsonscan.Array:
		return lookup(dst, hit, nil, deep, depth+1)
	}
	return append(dst, Value{Kind: hitKind, Raw: hit})
}

// members goes over the members of an object without checking what is inside of their values.
type members struct {
	s    string
	i    int
	key  string // between the quotes
	odd  bool   // the key holds an escape or is not ASCII
	text string
	kind jsonscan.Kind
	at   int // of text
}

// newMembers begins at the bracket at i.
func newMembers(s string, i int) members { return members{s: s, i: i + 1} }

// next goes to the next member and over its value.
func (o *members) next() bool { return o.nextKey() && o.skipValue() }

// nextKey goes to the next member and stops at its value.
func (o *members) nextKey() bool {
	s, i := o.s, o.i
	if i < len(s) && s[i] == ',' {
		i++
	}
	if i < len(s) && s[i] <= ' ' {
		i = jsonscan.SkipBlanks(s, i)
		if i < len(s) && s[i] == ',' {
			i = jsonscan.SkipBlanks(s, i+1)
		}
	}
	if i >= len(s) || s[i] != '"' {
		return false
	}
	start := i + 1
	var or byte
	slash := false
	for i = start; i < len(s) && s[i] != '"'; i++ {
		or |= s[i]
		if s[i] == '\\' {
			slash = true
			i++
		}
	}
	if i >= len(s) {
		return false
	}
	o.key, o.odd = s[start:i], slash || or >= 0x80
	i++
	if i < len(s) && s[i] <= ' ' {
		i = jsonscan.SkipBlanks(s, i)
	}
	if i >= len(s) || s[i] != ':' {
		return false
	}
	i++
	if i < len(s) && s[i] <= ' ' {
		i = jsonscan.SkipBlanks(s, i)
	}
	o.at = i
	return i < len(s)
}

// skipValue goes over the value at which nextKey stopped.
func (o *members) skipValue() bool {
	end, kind, ok := jsonscan.Skip(o.s, o.at)
	if !ok {
		return false
	}
	o.text, o.kind, o.i = o.s[o.at:end], kind, end
	return true
}

// elements goes over the elements of a list.
type elements struct {
	s    string
	i    int
	text string
	kind jsonscan.Kind
}

func newElements(s string, i int) elements { return elements{s: s, i: i + 1} }

func (e *elements) next() bool {
	i := jsonscan.SkipBlanks(e.s, e.i)
	if i < len(e.s) && e.s[i] == ',' {
		i = jsonscan.SkipBlanks(e.s, i+1)
	}
	end, kind, ok := jsonscan.Skip(e.s, i)
	if !ok {
		return false
	}
	e.text, e.kind, e.i = e.s[i:end], kind, end
	return true
}

// hasPrefix and the others compare bytes with a text without allocating.
func hasPrefix(b []byte, text string) bool {
	return len(b) >= len(text) && string(b[:len(text)]) == text
}

func hasSuffix(b []byte, text string) bool {
	return len(b) >= len(text) && string(b[len(b)-len(text):]) == text
}

func (t *compiled) matchText(b []byte) bool {
	switch t.shape {
	case equal:
		return string(b) == t.text
	case prefix:
		return hasPrefix(b, t.text)
	case suffix:
		return hasSuffix(b, t.text)
	case contains:
		return bytes.Contains(b, t.bytes)
	case present:
		return true
	}
	return t.pattern.match(b)
}

package sigma

import (
	"strings"
	"unicode/utf8"
)

// Wildcards inside a pattern's parts.
type wildcard uint8

const (
	literal wildcard = iota
	anyText          // *
	anyRune          // ?
)

// part is a piece of a pattern.
type part struct {
	kind wildcard
	text string // of a literal
}

// pattern is a value of a rule with its wildcards. The zero value is the empty text.
type pattern []part

// parsePattern reads a value: * and ? are wildcards unless a backslash stands before them; a backslash before anything
// else but a backslash that stands before a wildcard is itself.
func parsePattern(s string) pattern {
	var p pattern
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			p = append(p, part{literal, lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '*', '?':
			flush()
			if c == '*' {
				p = p.star()
			} else {
				p = append(p, part{kind: anyRune})
			}
		case '\\':
			if i+1 < len(s) && (s[i+1] == '*' || s[i+1] == '?' || s[i+1] == '\\') {
				i++
				lit.WriteByte(s[i])
				continue
			}
			lit.WriteByte(c)
		default:
			lit.WriteByte(c)
		}
	}
	flush()
	return p
}

// star appends an asterisk, one for any number of them.
func (p pattern) star() pattern {
	if len(p) > 0 && p[len(p)-1].kind == anyText {
		return p
	}
	return append(p, part{kind: anyText})
}

func (p pattern) startsWith() pattern { return append(pattern{}, p...).star() }

func (p pattern) endsWith() pattern {
	if len(p) > 0 && p[0].kind == anyText {
		return p
	}
	return append(pattern{{kind: anyText}}, p...)
}

// plain is the text of a pattern without wildcards.
func (p pattern) plain() (text string, ok bool) {
	for _, x := range p {
		if x.kind != literal {
			return "", false
		}
		text += x.text
	}
	return text, true
}

// joined is the pattern with neighbouring literals as one.
func (p pattern) joined() (q pattern) {
	for _, x := range p {
		if n := len(q); n > 0 && x.kind == literal && q[n-1].kind == literal {
			q[n-1].text += x.text
			continue
		}
		q = append(q, x)
	}
	return q
}

// mapLiterals is the pattern with f applied to its literals.
func (p pattern) mapLiterals(f func(string) string) pattern {
	mapped := make(pattern, len(p))
	for i, x := range p {
		if x.kind == literal {
			x.text = f(x.text)
		}
		mapped[i] = x
	}
	return mapped
}

// String is the pattern as one text that only equal patterns share.
func (p pattern) String() string {
	var b strings.Builder
	for _, x := range p {
		switch x.kind {
		case anyText:
			b.WriteByte('*')
		case anyRune:
			b.WriteByte('?')
		default:
			b.WriteString(strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`).Replace(x.text))
		}
	}
	return b.String()
}

// shape says how a pattern is matched.
type shape uint8

const (
	equal    shape = iota // text
	prefix                // text*
	suffix                // *text
	contains              // *text*
	present               // *
	glob                  // anything else
)

// shape finds the cheapest way to match the pattern, and its text.
func (p pattern) shape() (s shape, text string) {
	if text, ok := p.plain(); ok {
		return equal, text
	}
	switch {
	case len(p) == 1 && p[0].kind == anyText:
		return present, ""
	case len(p) == 2 && p[0].kind == literal && p[1].kind == anyText:
		return prefix, p[0].text
	case len(p) == 2 && p[0].kind == anyText && p[1].kind == literal:
		return suffix, p[1].text
	case len(p) == 3 && p[0].kind == anyText && p[1].kind == literal && p[2].kind == anyText:
		return contains, p[1].text
	}
	return glob, ""
}

// match matches the whole of s. It goes back only to the last asterisk, so its cost is bounded by the product of both
// lengths.
func (p pattern) match(s []byte) bool {
	i, at := 0, 0         // the part and the byte to match next
	back, backAt := -1, 0 // the part after the last asterisk, and where the text for it may begin
	for {
		if i == len(p) && at == len(s) {
			return true
		}
		if i < len(p) {
			switch x := &p[i]; x.kind {
			case anyText:
				if i+1 == len(p) {
					return true
				}
				i++
				back, backAt = i, at
				continue
			case anyRune:
				if at < len(s) {
					_, size := utf8.DecodeRune(s[at:])
					at += size
					i++
					continue
				}
			default:
				if len(s)-at >= len(x.text) && string(s[at:at+len(x.text)]) == x.text {
					at += len(x.text)
					i++
					continue
				}
			}
		}
		if back < 0 || backAt >= len(s) {
			return false
		}
		_, size := utf8.DecodeRune(s[backAt:]) // the asterisk takes one character more
		backAt += size
		i, at = back, backAt
	}
}

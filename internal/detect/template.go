package detect

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/detect/sigma"
)

// Limits of texts that templates make, as in Panther: characters, with what a cut text ends in.
const (
	maxText   = 1000
	cutSuffix = "... (truncated)"
)

// template is a text with fields of the record in it:
//
//	{field}                        its value; an error when it is absent or null
//	{field | default "text"}       the text when it is absent or null
//	{field | last "/"}             the part behind the last /
//	{field | after "/" "part"}     of the parts between /, the one behind the part that is equal to part
//	{field | lower}, {field | upper}
//	{{ and }}                      brackets
//
// Filters work from left to right. It is immutable.
type template struct {
	parts []templatePart
}

type templatePart struct {
	text    string // when field is empty
	field   string
	filters []filter
}

type filter struct {
	name string
	args []string
}

// filterArgs is how many arguments each filter takes.
var filterArgs = map[string]int{"default": 1, "last": 1, "after": 2, "lower": 0, "upper": 0}

func parseTemplate(s string) (*template, error) {
	t := &template{}
	var text strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"), strings.HasPrefix(s[i:], "}}"):
			text.WriteByte(s[i])
			i++
		case s[i] == '}':
			return nil, errors.New("a } without its {; write }} for a bracket")
		case s[i] == '{':
			if text.Len() > 0 {
				t.parts = append(t.parts, templatePart{text: text.String()})
				text.Reset()
			}
			part, end, err := parseField(s, i+1)
			if err != nil {
				return nil, err
			}
			t.parts = append(t.parts, part)
			i = end
		default:
			text.WriteByte(s[i])
		}
	}
	if text.Len() > 0 {
		t.parts = append(t.parts, templatePart{text: text.String()})
	}
	return t, nil
}

// parseField reads from behind the opening bracket and returns the index of the closing one.
func parseField(s string, i int) (part templatePart, end int, err error) {
	words, end, err := templateWords(s, i)
	if err != nil {
		return part, end, err
	}
	if len(words) == 0 || len(words[0]) != 1 {
		return part, end, fmt.Errorf("{%s}: want one field before the first |", s[i:end])
	}
	part.field = words[0][0]
	for _, f := range words[1:] {
		if len(f) == 0 {
			return part, end, fmt.Errorf("{%s}: no filter between | and |", s[i:end])
		}
		want, ok := filterArgs[f[0]]
		if !ok {
			return part, end, fmt.Errorf("{%s}: unknown filter %s", s[i:end], f[0])
		}
		if len(f)-1 != want {
			return part, end, fmt.Errorf("{%s}: %s wants %d arguments", s[i:end], f[0], want)
		}
		part.filters = append(part.filters, filter{f[0], f[1:]})
	}
	return part, end, nil
}

// templateWords splits the text between brackets at | and blanks; a word may be in double quotes.
func templateWords(s string, i int) (groups [][]string, end int, err error) {
	group := []string{}
	for i < len(s) {
		switch c := s[i]; c {
		case '}':
			return append(groups, group), i, nil
		case '|':
			groups, group = append(groups, group), []string{}
			i++
		case ' ', '\t':
			i++
		case '"':
			var word strings.Builder
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' && i+1 < len(s) {
					i++
				}
				word.WriteByte(s[i])
			}
			if i >= len(s) {
				return nil, i, errors.New("a quote is not closed")
			}
			group = append(group, word.String())
			i++
		default:
			start := i
			for i < len(s) && !strings.ContainsRune("}| \t\"", rune(s[i])) {
				i++
			}
			group = append(group, s[start:i])
		}
	}
	return nil, i, errors.New("a { is not closed")
}

// names lists the fields of a template.
func (t *template) names() []string {
	var names []string
	for _, p := range t.parts {
		if p.field != "" {
			names = append(names, p.field)
		}
	}
	return names
}

// fieldSet holds the fields of a rule by the names that its templates use.
type fieldSet map[string]*sigma.Field

// render fills the template from a record. The error says which field and why.
func (t *template) render(fields fieldSet, body string) (string, error) {
	var out strings.Builder
	for _, p := range t.parts {
		if p.field == "" {
			out.WriteString(p.text)
			continue
		}
		value, ok := fields[p.field].First(body)
		text := ""
		if ok {
			text = value.Text()
		}
		for _, f := range p.filters {
			var err error
			if text, ok, err = f.apply(text, ok); err != nil {
				return "", fmt.Errorf("{%s}: %w", p.field, err)
			}
		}
		if !ok {
			return "", fmt.Errorf("{%s}: not in the record", p.field)
		}
		out.WriteString(text)
	}
	return cut(out.String()), nil
}

func (f *filter) apply(text string, present bool) (string, bool, error) {
	if f.name == "default" {
		if present {
			return text, true, nil
		}
		return f.args[0], true, nil
	}
	if !present {
		return "", false, errors.New("not in the record")
	}
	switch f.name {
	case "lower":
		return strings.ToLower(text), true, nil
	case "upper":
		return strings.ToUpper(text), true, nil
	case "last":
		if i := strings.LastIndex(text, f.args[0]); i >= 0 {
			text = text[i+len(f.args[0]):]
		}
		return text, true, nil
	}
	parts := strings.Split(text, f.args[0])
	for i, part := range parts {
		if part == f.args[1] && i+1 < len(parts) {
			return parts[i+1], true, nil
		}
	}
	return "", false, fmt.Errorf("no part behind %q", f.args[1])
}

// cut shortens a text to maxText characters.
func cut(text string) string {
	if len(text) <= maxText || utf8.RuneCountInString(text) <= maxText {
		return text
	}
	keep := maxText - len(cutSuffix)
	for i := range text {
		if keep == 0 {
			return text[:i] + cutSuffix
		}
		keep--
	}
	return text
}

package sigma

import "fmt"

// Problem is what is wrong with one rule, or not supported of it.
type Problem struct {
	File string
	Line int    // 1 is the first; 0 when the problem is of the whole file
	Rule string // title or id, "" when the text is no rule
	// Feature names what is not supported ("modifier expand", "correlation type temporal"); "" when the rule is broken.
	Feature string
	Msg     string
	// Warning says that the rule is in force nevertheless.
	Warning bool
}

// Error is one line: file:line: rule: what is wrong.
func (p *Problem) Error() string {
	text := p.File
	if p.Line > 0 {
		text += fmt.Sprintf(":%d", p.Line)
	}
	text += ": "
	if p.Rule != "" {
		text += p.Rule + ": "
	}
	if p.Feature != "" {
		text += "not supported: " + p.Feature
		if p.Msg != "" {
			text += ": "
		}
	}
	return text + p.Msg
}

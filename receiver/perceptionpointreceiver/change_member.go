package perceptionpointreceiver

import (
	"slices"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// hasMember reports whether a scan has a member of its own of a name, or may have, where it is broken inside. To search the text for
// the name is not enough: a mail may have it as its subject.
func hasMember(raw, name string) bool {
	members, _, err := jsonscan.Members(nil, raw)
	return err != nil || slices.ContainsFunc(members, func(m jsonscan.Member) bool { return m.Key() == name })
}

// changeMember is the name under which a scan that comes again says what moved.
const changeMember = "change"

// withChange adds to a scan what moved since it was seen as before:
//
//	"change":{"fields":["verbose_verdict"],"previous":{"Verdict":"SUS"}}
func withChange(raw string, before, now *fingerprint) string {
	begin, end := strings.IndexByte(raw, '{'), strings.LastIndexByte(raw, '}')
	if begin < 0 || end < begin { // no object, which has no place for it
		return raw
	}
	b := make([]byte, 0, len(raw)+128)
	b = append(b, strings.TrimRight(raw[:end], " \t\r\n")...)
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	name := changeMember
	if hasMember(raw, name) { // the API may begin to have one of its own
		name = "siem_" + name
	}
	b = append(b, `"`+name+`":{"fields":[`...)
	n := 0
	field := func(name string) {
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = jsonscan.AppendQuoted(b, name)
	}
	moved := func(name string) bool {
		i := checkOf(name)
		return before.checks[i] != now.checks[i]
	}
	for _, name := range trackedFields {
		switch {
		case moved(name):
			field(name)
		case name == "verbose_verdict" && before.verdict() != now.verdict() && !moved("root_scan_summary"), // the codes are exact
			name == "verbose_action" && before.action() != now.action():
			field(name)
		}
	}
	if before.checks[numChecks-1] != now.checks[numChecks-1] || n == 0 {
		field(otherField)
	}
	b = append(b, ']')
	verdict, action := before.verdict(), before.action()
	if verdict == now.verdict() {
		verdict = ""
	}
	if action == now.action() {
		action = ""
	}
	if verdict != "" || action != "" {
		b = append(b, `,"previous":{`...)
		if verdict != "" {
			b = append(b, `"Verdict":`...)
			b = jsonscan.AppendQuoted(b, verdict)
		}
		if action != "" {
			if verdict != "" {
				b = append(b, ',')
			}
			b = append(b, `"Action":`...)
			b = jsonscan.AppendQuoted(b, action)
		}
		b = append(b, '}')
	}
	return string(append(append(b, '}'), raw[end:]...))
}

package format

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema/panoptica"
)

// decision is what a member says about a finding's disposition.
type decision uint8

const (
	noDecision decision = iota
	saysDismissed
	saysSnoozed
	saysResolved
	saysSnoozedUntil
	saysStatus
	numDecisions
)

// decisionOf tells which decision a name stands for. Panoptica's schema knows only resolved; people and scripts write
// the others in every style, so case, underscores, hyphens and a leading "is" do not count.
func decisionOf(name string) decision {
	const longest = len("is_snooze_expiration") + 2
	if len(name) > longest || len(name) < len("state") {
		return noDecision
	}
	if !mayDecide(name[0]|0x20, name[1]|0x20, name[2]|0x20) { // most members end here
		return noDecision
	}
	var folded [longest]byte
	n := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_' || c == '-' || c == ' ':
		case 'A' <= c && c <= 'Z':
			folded[n] = c | 0x20
			n++
		default:
			folded[n] = c
			n++
		}
	}
	word := folded[:n]
	if n > 2 && word[0] == 'i' && word[1] == 's' {
		word = word[2:]
	}
	switch string(word) {
	case "dismissed", "ignored": // the console's "Ignore" on an asset dismisses its findings
		return saysDismissed
	case "snoozed":
		return saysSnoozed
	case "resolved":
		return saysResolved
	case "snoozeduntil", "snoozeuntil", "snoozeexpiration", "snoozeexpiry":
		return saysSnoozedUntil
	case "status", "state", "disposition":
		return saysStatus
	}
	return noDecision
}

// mayDecide tells by the first letters whether a name can be one of decisionOf's.
func mayDecide(first, second, third byte) bool {
	switch first {
	case 'd':
		return second == 'i' // dismissed, disposition
	case 'i':
		return second == 'g' || second == 's' // ignored, is_…
	case 'r':
		return second == 'e' && third == 's' // resolved
	case 's':
		return second == 'n' || second == 't' // snoozed, status, state
	}
	return false
}

// dispositionOf reads what people decided from the members of a finding. A plain yes or no outweighs a status. The same
// decision told twice, or told in a way that cannot be read, is an error: guessing would show what was hidden or hide
// what was not. Of the members only those count whose indexes are in deciding.
func dispositionOf(members []jsonscan.Member, deciding []int32) (record.Disposition, error) {
	var d record.Disposition
	var found [numDecisions]*jsonscan.Member
	any := false
	for _, i := range deciding {
		m := &members[i]
		says := decisionOf(m.Key())
		if says == noDecision || m.Kind == jsonscan.Null {
			continue
		}
		if says == saysStatus && m.Kind != jsonscan.String {
			continue // some other status, not a word
		}
		if before := found[says]; before != nil {
			return d, fmt.Errorf("%s at byte %d: says again what %s said", m.Key(), m.Offset, before.Key())
		}
		found[says] = m
		any = true
	}
	if !any {
		return d, nil
	}
	if m := found[saysStatus]; m != nil {
		switch strings.ToLower(strings.TrimSpace(m.Text())) {
		case "dismissed", "ignored":
			d.Dismissed = true
		case "snoozed":
			d.Snoozed = true
		case "resolved", "closed", "fixed":
			d.Resolved = true
		}
	}
	if m := found[saysSnoozedUntil]; m != nil && m.Text() != "" || m != nil && m.Kind != jsonscan.String {
		d.Snoozed = true
	}
	for _, flag := range [...]struct {
		says decision
		to   *bool
	}{{saysDismissed, &d.Dismissed}, {saysSnoozed, &d.Snoozed}, {saysResolved, &d.Resolved}} {
		m := found[flag.says]
		if m == nil {
			continue
		}
		yes, ok := readBool(m)
		if !ok {
			return d, fmt.Errorf("%s at byte %d: is neither true nor false", m.Key(), m.Offset)
		}
		*flag.to = yes
	}
	if m := found[saysSnoozedUntil]; m != nil && d.Snoozed && (m.Kind != jsonscan.String || m.Text() != "") {
		until, ok := readInstant(m)
		if !ok {
			return d, fmt.Errorf("%s at byte %d: is neither an RFC 3339 date-time nor epoch seconds or milliseconds", m.Key(), m.Offset)
		}
		d.SnoozedUntil = until
	}
	return d, nil
}

func readBool(m *jsonscan.Member) (yes, ok bool) {
	text := m.Value
	if m.Kind == jsonscan.String {
		text = strings.ToLower(strings.TrimSpace(m.Text()))
	}
	switch text {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// firstMilliseconds is where epoch numbers are taken for milliseconds: 1e11 seconds are the year 5138, 1e11
// milliseconds the year 1973.
const firstMilliseconds = 1e11

func readInstant(m *jsonscan.Member) (time.Time, bool) {
	text := m.Value
	if m.Kind == jsonscan.String {
		text = strings.TrimSpace(m.Text())
		if t, ok := panoptica.ParseDateTime(text); ok {
			return t, true
		}
	} else if m.Kind != jsonscan.Number {
		return time.Time{}, false
	}
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || n < 0 || n > 1e15 || n != n:
		return time.Time{}, false
	case n >= firstMilliseconds:
		return time.UnixMilli(int64(n)), true
	default:
		return time.Unix(int64(n), 0), true
	}
}

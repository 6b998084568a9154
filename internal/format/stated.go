package format

import (
	"slices"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Statement is what the members of an object say about a finding's disposition.
type Statement struct {
	record.Disposition
	// Open says that the finding is explicitly neither dismissed nor snoozed: by a status such as open or reopened, or by
	// dismissed or snoozed being false.
	Open bool
}

// openWords are the values of a status that take a dismissal or snooze back.
var openWords = map[string]bool{
	"open": true, "opened": true, "reopen": true, "reopened": true, "active": true,
	"restored": true, "undismissed": true, "unignored": true, "unsnoozed": true,
}

// Stated reads a statement in whichever spelling it is written. It fails where the record would be invalid too.
func Stated(members []jsonscan.Member) (Statement, error) {
	all := make([]int32, len(members))
	for i := range all {
		all[i] = int32(i)
	}
	d, err := dispositionOf(members, all)
	s := Statement{Disposition: d}
	if err != nil || d.Dismissed || d.Snoozed {
		return s, err
	}
	for i := range members {
		m := &members[i]
		switch decisionOf(m.Key()) {
		case saysDismissed, saysSnoozed:
			if no, ok := readBool(m); ok && !no {
				s.Open = true
			}
		case saysStatus:
			if m.Kind == jsonscan.String && openWords[strings.ToLower(strings.TrimSpace(m.Text()))] {
				s.Open = true
			}
		}
	}
	return s, nil
}

// States reports whether a member of that name says something about a finding's disposition, and hides whether it says only
// that: a status and resolved are news by themselves too.
func States(name string) (states, hides bool) {
	switch decisionOf(name) {
	case noDecision:
		return false, false
	case saysDismissed, saysSnoozed, saysSnoozedUntil:
		return true, true
	}
	return true, false
}

// ScanEvent is the body of an event that says how far a scan is.
func ScanEvent(id, status string) string {
	body := jsonscan.AppendQuoted([]byte(`{"scan_id":`), id)
	if status != "" {
		body = jsonscan.AppendQuoted(append(body, `,"status":`...), status)
	}
	return string(append(body, '}'))
}

// RecordArrays are the names of the arrays in which envelopes hold records.
var RecordArrays = []string{"Records", "records", "results", "findings", "Findings", "attack_paths", "logEvents", "entries"}

// ReadScanEvent reads an event that says how far a scan is, as it comes on its own: an object with a scan_id, mostly a status,
// and nothing that a record has. IDs may be strings or numbers. An envelope that holds records is no event.
func ReadScanEvent(raw string) (id, status string, ok bool) {
	if !strings.Contains(raw, `"scan_id"`) {
		return "", "", false
	}
	var scratch [16]jsonscan.Member
	members, _, err := jsonscan.Members(scratch[:0], strings.Trim(raw, blanks))
	if err != nil {
		return "", "", false
	}
	in := Input{Members: members}
	for i := range Formats {
		if Formats[i].claims(&in) {
			return "", "", false
		}
	}
	for i := range members {
		m := &members[i]
		if m.Kind == jsonscan.Array && slices.Contains(RecordArrays, m.Key()) {
			return "", "", false
		}
		switch m.Key() {
		case "scan_id":
			if id = m.Text(); m.Kind == jsonscan.Number {
				id = m.Value
			}
		case "status":
			status = m.Text()
		}
	}
	return id, status, id != ""
}

// Package process decides which parsed records go on: what people dismissed, snoozed, resolved or suppressed is dropped. The
// siem processor and the Fluent Bit plugin both use it.
package process

import (
	"time"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/process/suppress"
	"github.com/siempipe/siempipe/internal/record"
)

// Reasons for which a record is dropped; values of the reason attribute of the metrics.
const (
	Dismissed  = "dismissed"
	Snoozed    = "snoozed"
	Resolved   = "resolved"
	Suppressed = "suppressed"
	Invalid    = "invalid"
	Empty      = "empty"  // nothing but blanks; decided before parsing
	Header     = "header" // the names of a flow log's fields, which is no record
)

// Exclude says which findings are dropped by what people decided about them.
type Exclude struct {
	Dismissed, Snoozed, Resolved bool
}

// Screen holds records against the settings. It keeps scratch between records: use one for each goroutine. The zero value
// drops nothing.
type Screen struct {
	Exclude Exclude
	// DropInvalid drops records of event type invalid; otherwise they go on, whatever else is set.
	DropInvalid bool
	// MarkSuppressed lets what is suppressed go on, with the name of the suppression.
	MarkSuppressed bool

	members []jsonscan.Member
}

// Drops says why rec is dropped at now, "" when it goes on, and the name of the suppression that holds for it. list may be nil.
func (s *Screen) Drops(rec *record.Record, list *suppress.List, now time.Time) (reason, rule string) {
	if rec.EventType == record.Invalid {
		if s.DropInvalid {
			return Invalid, ""
		}
		return "", ""
	}
	switch d := &rec.Disposition; {
	case s.Exclude.Dismissed && d.Dismissed:
		return Dismissed, ""
	case s.Exclude.Snoozed && d.SnoozedAt(now):
		return Snoozed, ""
	case s.Exclude.Resolved && d.Resolved:
		return Resolved, ""
	}
	rule, ok := s.suppressed(rec, list, now)
	if ok && !s.MarkSuppressed {
		return Suppressed, rule
	}
	return "", rule
}

// suppressed names the suppression that holds for the record.
func (s *Screen) suppressed(rec *record.Record, list *suppress.List, now time.Time) (rule string, ok bool) {
	if list.Len() == 0 {
		return "", false
	}
	var err error
	if s.members, _, err = jsonscan.Members(s.members[:0], rec.Body); err != nil {
		return "", false
	}
	rule, ok = list.Match(s.members, now)
	clear(s.members) // keeps no body alive
	return rule, ok
}

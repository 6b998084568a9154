package process

import (
	"time"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/process/suppress"
	"github.com/siempipe/siempipe/internal/record"
)

// Exclude says which findings are dropped because of what people decided about them.
type Exclude struct {
	Dismissed, Snoozed, Resolved bool
}

// filter drops records that people dismissed, snoozed, resolved or suppressed. The zero value drops nothing.
type filter struct {
	exclude        Exclude
	dropInvalid    bool
	markSuppressed bool

	members []jsonscan.Member // scratch
}

// decide returns why rec is dropped at now, "" when it continues, and the name of the suppression that matches it. list may be
// nil.
func (f *filter) decide(rec *record.Record, list *suppress.List, now time.Time) (reason, rule string) {
	if rec.EventType == record.Invalid {
		if f.dropInvalid {
			return ReasonInvalid, ""
		}
		return "", ""
	}
	switch d := &rec.Disposition; {
	case f.exclude.Dismissed && d.Dismissed:
		return ReasonDismissed, ""
	case f.exclude.Snoozed && d.SnoozedAt(now):
		return ReasonSnoozed, ""
	case f.exclude.Resolved && d.Resolved:
		return ReasonResolved, ""
	}
	rule, ok := f.suppressedBy(rec, list, now)
	if ok && !f.markSuppressed {
		return ReasonSuppressed, rule
	}
	return "", rule
}

// suppressedBy names the suppression that matches the record.
func (f *filter) suppressedBy(rec *record.Record, list *suppress.List, now time.Time) (rule string, ok bool) {
	if list.Len() == 0 {
		return "", false
	}
	var err error
	if f.members, _, err = jsonscan.Members(f.members[:0], rec.Body); err != nil {
		return "", false
	}
	rule, ok = list.Match(f.members, now)
	clear(f.members) // keeps no body alive
	return rule, ok
}

package process

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/process/suppress"
	"github.com/siempipe/siempipe/internal/record"
)

func TestFilter(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	list, err := suppress.Parse([]byte("suppressions: [{name: known, reason: test, expires: never, match: {alert_id: f-1}}]"))
	require.NoError(t, err)
	all := Exclude{Dismissed: true, Snoozed: true, Resolved: true}
	for _, c := range []struct {
		name         string
		filter       filter
		rec          record.Record
		list         *suppress.List
		reason, rule string
	}{
		{"nothing set", filter{}, record.Record{Disposition: record.Disposition{Dismissed: true, Snoozed: true, Resolved: true}}, nil, "", ""},
		{"dismissed", filter{exclude: all}, record.Record{Disposition: record.Disposition{Dismissed: true, Resolved: true}}, nil, ReasonDismissed, ""},
		{"snoozed", filter{exclude: all}, record.Record{Disposition: record.Disposition{Snoozed: true}}, nil, ReasonSnoozed, ""},
		{"snooze ended", filter{exclude: all}, record.Record{Disposition: record.Disposition{Snoozed: true, SnoozedUntil: now}}, nil, "", ""},
		{"resolved", filter{exclude: all}, record.Record{Disposition: record.Disposition{Resolved: true}}, nil, ReasonResolved, ""},
		{"suppressed", filter{}, record.Record{Body: `{"alert_id":"f-1"}`}, list, ReasonSuppressed, "known"},
		{"suppressed and marked", filter{markSuppressed: true}, record.Record{Body: `{"alert_id":"f-1"}`}, list, "", "known"},
		{"another", filter{}, record.Record{Body: `{"alert_id":"f-2"}`}, list, "", ""},
		{"invalid kept", filter{exclude: all}, record.Record{EventType: record.Invalid, Body: `{"alert_id":"f-1"}`}, list, "", ""},
		{"invalid dropped", filter{dropInvalid: true}, record.Record{EventType: record.Invalid}, list, ReasonInvalid, ""},
	} {
		reason, rule := c.filter.decide(&c.rec, c.list, now)
		assert.Equal(t, c.reason, reason, c.name)
		assert.Equal(t, c.rule, rule, c.name)
	}
}

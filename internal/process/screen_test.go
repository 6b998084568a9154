package process

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/process/suppress"
	"github.com/siempipe/siempipe/internal/record"
)

func TestDrops(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	list, err := suppress.Parse([]byte("suppressions: [{name: known, reason: test, expires: never, match: {alert_id: f-1}}]"))
	require.NoError(t, err)
	all := Exclude{Dismissed: true, Snoozed: true, Resolved: true}
	for _, c := range []struct {
		name         string
		screen       Screen
		rec          record.Record
		list         *suppress.List
		reason, rule string
	}{
		{"nothing set", Screen{}, record.Record{Disposition: record.Disposition{Dismissed: true, Snoozed: true, Resolved: true}}, nil, "", ""},
		{"dismissed", Screen{Exclude: all}, record.Record{Disposition: record.Disposition{Dismissed: true, Resolved: true}}, nil, Dismissed, ""},
		{"snoozed", Screen{Exclude: all}, record.Record{Disposition: record.Disposition{Snoozed: true}}, nil, Snoozed, ""},
		{"snooze ended", Screen{Exclude: all}, record.Record{Disposition: record.Disposition{Snoozed: true, SnoozedUntil: now}}, nil, "", ""},
		{"resolved", Screen{Exclude: all}, record.Record{Disposition: record.Disposition{Resolved: true}}, nil, Resolved, ""},
		{"suppressed", Screen{}, record.Record{Body: `{"alert_id":"f-1"}`}, list, Suppressed, "known"},
		{"suppressed and marked", Screen{MarkSuppressed: true}, record.Record{Body: `{"alert_id":"f-1"}`}, list, "", "known"},
		{"another", Screen{}, record.Record{Body: `{"alert_id":"f-2"}`}, list, "", ""},
		{"invalid kept", Screen{Exclude: all}, record.Record{EventType: record.Invalid, Body: `{"alert_id":"f-1"}`}, list, "", ""},
		{"invalid dropped", Screen{DropInvalid: true}, record.Record{EventType: record.Invalid}, list, Invalid, ""},
	} {
		reason, rule := c.screen.Drops(&c.rec, c.list, now)
		assert.Equal(t, c.reason, reason, c.name)
		assert.Equal(t, c.rule, rule, c.name)
	}
}

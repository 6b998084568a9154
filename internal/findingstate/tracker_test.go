package findingstate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/record"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func options() Options {
	return Options{
		Heartbeat: 24 * time.Hour, QuietPeriod: 15 * time.Minute, SnapshotFormats: []string{"panoptica"},
		ExpireAfter: 90 * 24 * time.Hour, MaxWaitingBytes: 1 << 20, MaxWaitingTime: 24 * time.Hour,
		SweepInterval: time.Hour, IgnoreFields: []string{"detection_timestamp"}, AnyTenant: true,
	}
}

// bench is a tracker with its storage and a clock.
type bench struct {
	*Tracker
	t     testing.TB
	store *memory
	opts  Options
	clock time.Time
}

func newBench(t testing.TB, opts Options) *bench {
	b := &bench{t: t, store: newMemory(), opts: opts, clock: start}
	b.restart()
	return b
}

// restart opens the state again without closing it, as after a crash.
func (b *bench) restart() {
	b.t.Helper()
	var err error
	b.Tracker, err = Open(b.t.Context(), b.store, b.opts)
	require.NoError(b.t, err)
}

func (b *bench) wait(d time.Duration) { b.clock = b.clock.Add(d) }

func finding(id, members string) record.Record {
	body := `{"alert_id":"` + id + `","tenant_id":"id-1","account_id":"111122223333","severity":"High","detection_timestamp":"2026-03-01T08:00:00Z"` + members + `}`
	return record.Record{Body: body, ID: id, TenantID: "id-1", AccountID: "111122223333", Format: "panoptica",
		EventType: record.SecurityFinding, Severity: record.SeverityHigh, Received: start}
}

func event(id, members string) record.Record {
	return record.Record{Body: `{"alert_id":"` + id + `"` + members + `}`, ID: id, TenantID: "id-1", Format: "panoptica", EventType: record.Other, Received: start}
}

// see decides about records in one batch and commits it; it says for each what is new, with * where it goes on.
func (b *bench) see(recs ...record.Record) string {
	b.t.Helper()
	obs := make([]Observation, len(recs))
	o := b.NewObserver()
	for i := range recs {
		require.NoError(b.t, o.Observe(&recs[i], "", &obs[i]))
	}
	tx, err := b.Begin(b.clock)
	require.NoError(b.t, err)
	var list []*Observation
	for i := range obs {
		list = append(list, &obs[i])
	}
	require.NoError(b.t, tx.Load(b.t.Context(), list))
	var out []string
	for i := range obs {
		tx.Decide(&obs[i])
		s := string(obs[i].Change)
		if obs[i].Emit {
			s += "*"
		}
		if len(obs[i].Fields) > 0 {
			s += "(" + strings.Join(obs[i].Fields, ",") + ")"
		}
		out = append(out, s)
	}
	require.NoError(b.t, tx.Commit(b.t.Context()))
	return strings.Join(out, " ")
}

// tick closes what is due and sweeps; it returns the alert ids that did not come again.
func (b *bench) tick() (unseen []string) {
	b.t.Helper()
	tx, err := b.Begin(b.clock)
	require.NoError(b.t, err)
	if tx.CloseDue() {
		require.NoError(b.t, tx.Commit(b.t.Context()))
	}
	for b.SweepDue(b.clock) {
		tx, list, _, _, err := b.BeginSweep(b.t.Context(), b.clock)
		require.NoError(b.t, err)
		require.NoError(b.t, tx.Commit(b.t.Context()))
		for _, u := range list {
			unseen = append(unseen, u.AlertID)
		}
	}
	return unseen
}

func TestStateSurvivesRestartsAndFlushes(t *testing.T) {
	for _, way := range []string{"crash", "close"} {
		t.Run(way, func(t *testing.T) {
			b := newBench(t, options())
			var recs []record.Record
			for i := range 3000 {
				recs = append(recs, finding(fmt.Sprintf("f-%d", i), `,"description":"one"`))
			}
			require.Equal(t, strings.TrimSuffix(strings.Repeat("new* ", len(recs)), " "), b.see(recs...))
			for range 3 {
				if way == "close" {
					require.NoError(t, b.Close(t.Context()))
				}
				b.restart()
				require.Equal(t, strings.TrimSuffix(strings.Repeat("unchanged ", len(recs)), " "), b.see(recs...))
			}
			assert.Equal(t, uint64(len(recs)), b.Stats().Findings)
			assert.Equal(t, "changed*(description)", b.see(finding("f-7", `,"description":"two"`)))
		})
	}
}

package findingstate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/siempipe/siempipe/internal/record"
)

// sweepPages is how many pages one step of a sweep looks through: about 3000 entries, some milliseconds.
const sweepPages = 64

// sweepFresh is how many entries that are on no page it looks at in one step.
const sweepFresh = sweepPages * entriesPerPage

// sweep goes through all pages for findings that did not come again, and for those that are forgotten.
type sweep struct {
	closed map[uint32][]closed
	n      int // of the closed snapshots that it is about: the first ones
	page   uint32
	fresh  []id // entries that were on no page when it began, and are looked at first
}

// Unseen is a finding that did not come again.
type Unseen struct {
	AlertID, TenantID, AccountID, Format string
	EventType                            string
	Severity                             record.Severity
	FirstSeen, LastSeen                  time.Time
}

// SweepDue reports whether a sweep is under way, or one should begin.
func (t *Tracker) SweepDue(now time.Time) bool {
	if t.sweep != nil {
		return true
	}
	ms := t.now(now)
	t.swept = min(t.swept, ms) // the clock may have been wrong
	if len(t.open.Closed) > 0 && ms-t.swept >= t.opts.SweepGather.Milliseconds() {
		return true
	}
	return t.opts.ExpireAfter > 0 && ms > t.swept && ms-t.swept >= t.opts.SweepInterval.Milliseconds() && t.meta.Entries+uint64(len(t.fresh)) > 0
}

// BeginSweep starts the next step of the sweep. The findings that it returns are marked not_seen with the batch's Commit;
// expired counts those that are forgotten. After an Abort the step is done again. unnamed counts findings that are marked but whose
// alert ids were too long to be kept.
func (t *Tracker) BeginSweep(ctx context.Context, now time.Time) (b *Transaction, unseen []Unseen, expired, unnamed int, err error) {
	if t.sweep == nil {
		t.sweep = &sweep{closed: map[uint32][]closed{}, n: len(t.open.Closed), fresh: slices.AppendSeq(make([]id, 0, len(t.fresh)), maps.Keys(t.fresh))}
		for _, c := range t.open.Closed {
			if ahead(c.Start, t.now(now)) {
				continue // began by a clock that was wrong: it would miss what came since
			}
			t.sweep.closed[c.Scope] = append(t.sweep.closed[c.Scope], c)
		}
		t.swept = t.now(now)
	}
	if err := t.probe(ctx); err != nil {
		return nil, nil, 0, 0, err
	}
	if err := t.room(ctx, sweepPages*entriesPerPage*4, sweepPages*entriesPerPage*4); err != nil {
		return nil, nil, 0, 0, err
	}
	if b, err = t.Begin(now); err != nil {
		return nil, nil, 0, 0, err
	}
	var missed []candidate
	look := func(e *entry, alertID []byte) {
		switch {
		case e.is(isGone):
		case t.expired(e, b.now):
			t.ensure(e)
			b.reset(b.change(e.id), isGone)
			expired++
		case t.sweep.missed(e, b.now):
			missed = append(missed, candidate{*e, string(alertID)})
		}
	}
	b.sweeps, b.sweptTo = true, t.sweep.page
	if n := min(len(t.sweep.fresh), sweepFresh); n > 0 {
		for _, i := range t.sweep.fresh[:n] {
			if alertID, ok := t.fresh[i]; ok { // else it came to a page meanwhile
				look(&t.cache.get(i).entry, []byte(alertID))
			}
		}
		b.sweptFresh = n
	} else if err := t.lookAtPages(ctx, b, look); err != nil {
		b.Abort()
		return nil, nil, 0, 0, err
	}
	if missed, err = t.withoutHidden(ctx, missed, b.now); err != nil {
		b.Abort()
		return nil, nil, 0, 0, err
	}
	for i := range missed {
		m := &missed[i]
		t.ensure(&m.entry)
		b.change(m.id).set(isNotSeen)
		if m.alertID == "" {
			unnamed++
		} else {
			unseen = append(unseen, t.unseen(&m.entry, m.alertID))
		}
	}
	if b.sweptFresh == 0 && b.sweptTo >= t.meta.Pages {
		b.rest.Swept = t.sweep.n
		b.sweepEnds = true
	}
	return b, unseen, expired, unnamed, nil
}

// lookAtPages looks at the entries of the next pages, as the cache has them.
func (t *Tracker) lookAtPages(ctx context.Context, b *Transaction, look func(*entry, []byte)) error {
	var ops []Op
	for n := t.sweep.page; n < t.meta.Pages && len(ops) < sweepPages; n++ {
		ops = append(ops, Op{Kind: Get, Key: pageKey(n)})
	}
	if err := t.store.Batch(ctx, ops); err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	for i := range ops {
		t.eachEntry(t.entriesOf(ops[i].Value), func(one []byte) {
			var e entry
			alertID := readEntry(one, &e)
			if s := t.cache.get(e.id); s != nil {
				e = s.entry
			}
			look(&e, alertID)
		})
	}
	b.sweptTo += uint32(len(ops))
	return nil
}

// candidate is an entry that did not come again.
type candidate struct {
	entry
	alertID string
}

// withoutHidden leaves out what a disposition for any tenant hides.
func (t *Tracker) withoutHidden(ctx context.Context, list []candidate, now int64) ([]candidate, error) {
	if !t.open.AnyTenant || !t.opts.AnyTenant {
		return list, nil
	}
	ids := make([]id, len(list))
	for i := range list {
		ids[i] = makeID(t.anyTenant, list[i].alertID)
	}
	if err := t.load(ctx, ids); err != nil {
		return nil, err
	}
	kept := list[:0]
	for i := range list {
		if any := t.cache.get(ids[i]); any == nil || !any.is(byEvent) || !any.hiddenAt(now) {
			kept = append(kept, list[i])
		}
	}
	return kept, nil
}

// ensure caches an entry that was read from its page.
func (t *Tracker) ensure(e *entry) {
	if t.cache.get(e.id) == nil {
		t.cache.add(e)
	}
}

func (t *Tracker) expired(e *entry, now int64) bool {
	after := t.opts.ExpireAfter.Milliseconds()
	return after > 0 && now-e.last >= after && !(e.snoozedAt(now) && e.until != 0)
}

// missed reports whether a complete snapshot should have had the finding and had not.
func (s *sweep) missed(e *entry, now int64) bool {
	if !e.is(isFinding) || e.emitted == 0 || e.is(isNotSeen|isResolved|isSuppressed) || e.hiddenAt(now) {
		return false
	}
	for _, c := range s.closed[e.scope] {
		if e.last < c.Start && e.day <= c.Limit {
			return true
		}
	}
	return false
}

func (t *Tracker) unseen(e *entry, alertID string) Unseen {
	sc, _ := t.scopes.get(e.scope)
	return Unseen{
		AlertID: alertID, TenantID: sc.Tenant, AccountID: sc.Account, Format: sc.Format,
		EventType: eventTypes[min(int(e.eventType()), len(eventTypes)-1)],
		Severity:  record.Severity(e.severity()),
		FirstSeen: time.Unix(int64(e.first), 0).UTC(), LastSeen: time.UnixMilli(e.last).UTC(),
	}
}

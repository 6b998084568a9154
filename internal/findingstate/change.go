package findingstate

import (
	"slices"
	"time"
)

// Change is what is new about a finding.
type Change string

// Changes. The first six go on with Options.All false.
const (
	New       Change = "new"
	Changed   Change = "changed"
	Resolved  Change = "resolved"
	Reopened  Change = "reopened"
	StillOpen Change = "still_open" // a heartbeat
	NotSeen   Change = "not_seen"
	Unchanged Change = "unchanged"
	Hidden    Change = "hidden"    // dismissed, snoozed or suppressed
	Dismissed Change = "dismissed" // an event
	Snoozed   Change = "snoozed"   // an event
)

// apply changes an entry by an observation of it and says what is new. hiddenElsewhere says that an event without a tenant hides
// the finding. The observation's fields are to be taken over when it returns true.
func (t *Tracker) apply(e *entry, o *Observation, now int64, hiddenElsewhere bool) (told bool) {
	if o.event {
		t.applyEvent(e, o, now, hiddenElsewhere)
		return false
	}
	t.applyMarks(e, o, now)
	if !e.is(isFinding) {
		e.set(isFinding)
		e.first = seconds(now)
	}
	e.last, e.day = now, o.day
	if scope := t.scopes.number(o.scope); e.scope != scope {
		e.scope = scope
	}
	e.flags = e.flags&^(eventTypeMask|severityMask<<severityShift|isSuppressed) | o.kind

	if e.hiddenAt(now) || hiddenElsewhere || e.is(isSuppressed) {
		if e.emitted != 0 {
			e.set(isReturning)
		}
		e.clear(isNotSeen)
		o.Change, o.Emit = Hidden, false
		return false
	}
	changed := e.content != o.content
	switch resolved := o.said.Resolved; {
	case e.emitted == 0 && resolved:
		o.Change = Resolved
	case e.emitted == 0:
		o.Change = New
	case resolved && !e.is(isResolved):
		o.Change = Resolved
	case !resolved && (e.is(isResolved) || e.is(isReturning) || e.is(isNotSeen)):
		o.Change = Reopened
	case changed:
		o.Change = Changed
	case !resolved && t.heartbeatDue(int64(e.emitted)*1000, now):
		o.Change = StillOpen
	default:
		o.Change = Unchanged
	}
	e.clear(isNotSeen | isReturning)
	if changed && e.emitted != 0 {
		o.Fields = t.changedFields(e, o)
	}
	if o.Emit = t.opts.All || o.Change != Unchanged; !o.Emit {
		return false
	}
	e.emitted = seconds(now)
	e.content = o.content
	if o.said.Resolved {
		e.set(isResolved)
	} else {
		e.clear(isResolved)
	}
	return true
}

func (t *Tracker) heartbeatDue(emitted, now int64) bool {
	return t.opts.Heartbeat > 0 && (now-emitted >= t.opts.Heartbeat.Milliseconds() || ahead(emitted, now))
}

// applyMarks ends a snooze whose time has come and takes over what a record itself says of its disposition. What a mark says
// can be taken back by a mark; what an event says only by an event.
func (t *Tracker) applyMarks(e *entry, o *Observation, now int64) {
	if e.is(isSnoozed) && !e.snoozedAt(now) {
		e.clear(isSnoozed)
		e.until = 0
		if e.emitted != 0 {
			e.set(isReturning)
		}
	}
	if e.is(byEvent) && e.hiddenAt(now) {
		return
	}
	e.clear(byEvent)
	switch d := &o.said; {
	case d.Dismissed || d.SnoozedAt(time.UnixMilli(now)):
		t.hide(e, o)
	case d.Open:
		t.show(e)
	}
}

// hide takes over a disposition: the last word counts.
func (t *Tracker) hide(e *entry, o *Observation) {
	e.clear(isDismissed | isSnoozed)
	e.until = 0
	if o.said.Dismissed {
		e.set(isDismissed)
	}
	if o.said.Snoozed {
		e.set(isSnoozed)
		if !o.said.SnoozedUntil.IsZero() {
			e.until = secondsOf(o.said.SnoozedUntil)
		}
	}
}

func (t *Tracker) show(e *entry) {
	if e.is(isDismissed|isSnoozed) && e.emitted != 0 {
		e.set(isReturning)
	}
	e.clear(isDismissed | isSnoozed | byEvent)
	e.until = 0
}

// applyEvent takes a disposition that came on its own. The finding need not be known yet.
func (t *Tracker) applyEvent(e *entry, o *Observation, now int64, hiddenElsewhere bool) {
	o.Emit = t.opts.All
	d := &o.said
	switch {
	case d.Dismissed, d.Snoozed && d.SnoozedAt(time.UnixMilli(now)):
		o.Change = Dismissed
		if !d.Dismissed {
			o.Change = Snoozed
		}
		t.hide(e, o)
		e.set(byEvent)
		if !e.is(isFinding) {
			e.last, e.day = now, o.day // from here on it may expire
			e.scope = t.scopes.number(o.scope)
		}
	case d.Snoozed: // it is over already
		o.Change = Snoozed
		if !e.is(isDismissed) {
			t.takeBack(e, o, now)
		}
	case d.Open:
		o.Change = Reopened
		t.takeBack(e, o, now)
	case d.Resolved && e.emitted != 0 && !e.is(isResolved) && !e.hiddenAt(now) && !hiddenElsewhere:
		o.Change, o.Emit = Resolved, true
		e.set(isResolved)
		e.emitted = seconds(now)
	default:
		o.Change = Unchanged
	}
}

// takeBack ends a disposition by an event. One without a tenant becomes a snooze that is over: the findings that it hid, each an
// entry of its own, find there that they return.
func (t *Tracker) takeBack(e *entry, o *Observation, now int64) {
	if o.scope.Tenant != "" || !e.is(byEvent) {
		t.show(e)
		return
	}
	if e.hiddenAt(now) {
		e.until = seconds(now)
	}
	e.clear(isDismissed)
	e.set(isSnoozed)
}

// changedFields lists the fields that differ between an entry and an observation.
func (t *Tracker) changedFields(e *entry, o *Observation) []string {
	var list []string
	for _, f := range o.fields[:o.n] {
		if !slices.Contains(e.list(), f) {
			list = append(list, t.names.name(f.name()))
		}
	}
	for _, f := range e.list() { // those that are gone
		if !slices.ContainsFunc(o.fields[:o.n], func(g field) bool { return g.name() == f.name() }) {
			list = append(list, t.names.name(f.name()))
		}
	}
	if len(list) == 0 { // 24 bits of a hash were equal by chance, or a field appears twice
		return []string{OtherFields}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

package findingstate

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// Batch is a set of changes that are written together, after what they let go on has been delivered. It is valid until Commit
// or Abort; one of them must follow, under the same Lock.
type Batch struct {
	t       *Tracker
	number  uint32
	now     int64
	undo    []undo
	rest    logged
	chunks  []Op // waiting records that are written or deleted
	waiting int64
	newScan uint32
	snaps   map[snapshotKey]snapshot
	scans   map[string]*scan // copies, changed
	touched map[string]map[uint32]struct{}

	sweeps, sweepEnds bool
	sweptTo           uint32
	sweptFresh        int

	lastSnap snapshotKey // touched last: most records of a batch are of one
	anySnap  bool
}

// undo is a slot as it was before the batch.
type undo struct {
	slot   *slot
	old    head
	fields *fields // nil while they are as they were
	added  bool
}

type fields struct {
	n    uint8
	list [maxFields]field
}

// Begin starts a batch. The tracker must be locked until its end.
func (t *Tracker) Begin(now time.Time) (*Batch, error) {
	if t.lost != nil {
		return nil, t.lost
	}
	t.batches++
	return &Batch{t: t, number: t.batches, now: t.now(now)}, nil
}

// Load reads what is known of these findings into memory. Call it once, before the first Decide. After a batch that could not be
// written it fails until there is room again: without that, the same findings would be delivered over and over, since none of
// them could be remembered.
func (b *Batch) Load(ctx context.Context, obs []*Observation) error {
	if err := b.t.probe(ctx); err != nil {
		return err
	}
	removed := b.t.cache.removed
	ids := b.missing(obs)
	if err := b.t.room(ctx, len(obs), len(ids)); err != nil {
		return err
	}
	if b.t.cache.removed != removed { // some of them, perhaps
		ids = b.missing(obs)
	}
	return b.t.load(ctx, ids)
}

// missing finds the slots of what is cached, and returns what is not.
func (b *Batch) missing(obs []*Observation) (ids []id) {
	c := b.t.cache
	for len(obs) > 0 {
		var first [32]place // looked up together: memory answers many questions in the time of one
		some := obs[:min(len(obs), len(first))]
		for i, o := range some {
			first[i] = c.index.first(o.id)
		}
		for i, o := range some {
			if o.slot = c.getAt(o.id, first[i]); o.slot == nil {
				ids = append(ids, o.id)
			}
			if b.t.open.AnyTenant && o.anyTenant != (id{}) && c.get(o.anyTenant) == nil {
				ids = append(ids, o.anyTenant)
			}
		}
		obs = obs[len(some):]
	}
	return ids
}

// change returns the slot of an entry for changing.
func (b *Batch) change(i id) *slot {
	if s := b.t.cache.get(i); s != nil {
		return b.changeSlot(s, false)
	}
	return b.changeSlot(b.t.cache.add(&entry{head: head{id: i}}), true)
}

func (b *Batch) changeSlot(s *slot, added bool) *slot {
	if s.batch != b.number {
		s.batch, s.undo = b.number, uint32(len(b.undo))
		b.undo = append(b.undo, undo{slot: s, old: s.head, added: added})
	}
	return s
}

func (u *undo) changed() bool { return u.fields != nil || u.slot.head != u.old }

// keepFields must come before a change of a slot's fields.
func (b *Batch) keepFields(s *slot) {
	if u := &b.undo[s.undo]; u.fields == nil {
		u.fields = &fields{s.n, s.fields}
	}
}

// reset makes a slot's entry one of which nothing is known but these flags.
func (b *Batch) reset(s *slot, f flags) {
	b.keepFields(s)
	s.entry = entry{head: head{id: s.id, flags: f}}
}

// Decide says what is new about a finding: it fills in the observation's Change, Emit and Fields.
func (b *Batch) Decide(o *Observation) {
	t := b.t
	s := o.slot // none is evicted during a batch
	if s != nil {
		b.changeSlot(s, false)
	} else {
		s = b.change(o.id)
	}
	if s.is(isGone) {
		b.reset(s, 0)
	}
	hidden := b.hiddenElsewhere(s, o)
	known := s.known()
	content := s.content
	if t.apply(&s.entry, o, b.now, hidden) && content != o.content {
		b.keepFields(s)
		s.n, s.fields = o.n, o.fields
	}
	if !known && s.known() {
		alertID := o.alertID
		if len(alertID) > maxAlertID {
			alertID = ""
		}
		t.fresh[o.id] = string([]byte(alertID))
	}
	if o.event {
		b.rest.AnyTenant = b.rest.AnyTenant || o.scope.Tenant == ""
		return
	}
	b.seen(s.scope, o)
}

// hiddenElsewhere reports whether an event without a tenant hides the finding.
func (b *Batch) hiddenElsewhere(s *slot, o *Observation) bool {
	t := b.t
	if !t.open.AnyTenant && !b.rest.AnyTenant || o.anyTenant == (id{}) {
		return false
	}
	any := t.cache.get(o.anyTenant)
	switch {
	case any == nil || !any.is(byEvent):
		return false
	case any.hiddenAt(b.now):
		if after := t.opts.ExpireAfter.Milliseconds(); after > 0 && !o.event && !any.is(isFinding) && b.now-any.last >= after/16 {
			b.changeSlot(any, false).last = b.now // it must not expire before what it hides
		}
		return true
	case s.emitted != 0 && s.last < int64(any.until)*1000: // it was hidden, though nothing came of it meanwhile
		s.set(isReturning)
	}
	return false
}

// Abort forgets the batch.
func (b *Batch) Abort() {
	for i := len(b.undo) - 1; i >= 0; i-- {
		u := &b.undo[i]
		if u.added {
			delete(b.t.fresh, u.old.id)
			b.t.cache.remove(u.old.id)
			continue
		}
		if !u.old.known() && u.slot.known() { // it had expired
			delete(b.t.fresh, u.old.id)
		}
		u.slot.head = u.old
		if u.fields != nil {
			u.slot.n, u.slot.fields = u.fields.n, u.fields.list
		}
	}
}

// Commit writes the batch. After an error the batch is forgotten: the records that went on will go on again.
func (b *Batch) Commit(ctx context.Context) error {
	t := b.t
	data := make([]byte, 0, 64+16*len(b.undo))
	data = append(data, version)
	data = binary.LittleEndian.AppendUint64(data, uint64(b.now))
	head := len(data)
	for i := range b.undo {
		u := &b.undo[i]
		if !u.added && !u.slot.known() { // nothing is left to remember
			b.reset(u.slot, isGone)
		}
		data = b.appendEntry(data, u)
	}
	data, err := b.appendRest(data)
	if err != nil {
		b.Abort()
		return err
	}
	if len(data) > head || len(b.chunks) > 0 {
		if err := b.stillOwner(ctx); err != nil {
			b.Abort()
			return err
		}
		ops := append(b.chunks, Op{Kind: Set, Key: logKey(t.next), Value: data}, Op{Kind: Get, Key: keyMeta})
		if err := t.store.Batch(ctx, ops); err != nil {
			b.Abort()
			t.setFailed(ops)
			return fmt.Errorf("write the state: %w", err)
		}
		if err := t.checkOwner(ops[len(ops)-1].Value); err != nil {
			b.Abort()
			return err
		}
		t.probed = 0
		t.next++
		t.logBytes += int64(len(data))
	}
	for i := range b.undo {
		u := &b.undo[i]
		switch {
		case u.added && !u.slot.known():
			delete(t.fresh, u.old.id) // it may have been known in the middle of the batch
			t.cache.remove(u.old.id)
		case u.changed():
			t.cache.setDirty(u.slot)
		}
	}
	t.savedName += len(b.rest.Names)
	t.scopes.saved += len(b.rest.Scopes)
	t.open.apply(&b.rest)
	if b.sweeps {
		t.sweep.page = b.sweptTo
		t.sweep.fresh = t.sweep.fresh[b.sweptFresh:]
	}
	if b.sweepEnds {
		t.sweep = nil
	}
	return nil
}

// maxProbe bounds what is written to find out whether there is room.
const maxProbe = 16 << 20

// setFailed notes that a batch could not be written. The next probe writes twice as many bytes as the batch had. When a probe
// succeeded and the batch behind it failed all the same, the next one writes at least four times as many as that probe: in a file
// with holes, what fits into one place need not fit into the next.
func (t *Tracker) setFailed(ops []Op) {
	size := 0
	for i := range ops {
		size += len(ops[i].Value)
	}
	t.failed = min(max(2*size, 4*t.probed), maxProbe)
}

// probe finds out, after a batch could not be written, whether there is room again: it writes t.failed bytes and deletes them.
func (t *Tracker) probe(ctx context.Context) error {
	if t.failed == 0 {
		return nil
	}
	for _, op := range [...]Op{{Kind: Set, Key: keyProbe, Value: make([]byte, t.failed)}, {Kind: Delete, Key: keyProbe}} {
		if err := t.store.Batch(ctx, []Op{op}); err != nil {
			return fmt.Errorf("write the state: %w", err)
		}
	}
	t.failed, t.probed = 0, t.failed
	return nil
}

// ownerInterval is how long, in milliseconds, a look at who owns the state holds. Each write looks too, but only after it was
// done: a collector that was paused for longer must look before it writes.
const ownerInterval = 1000

func (b *Batch) stillOwner(ctx context.Context) error {
	t := b.t
	if b.now-t.checked < ownerInterval && b.now >= t.checked {
		return nil
	}
	root := []Op{{Kind: Get, Key: keyMeta}}
	if err := t.store.Batch(ctx, root); err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	t.checked = b.now
	return t.checkOwner(root[0].Value)
}

// appendEntry appends what a batch changed in one entry.
func (b *Batch) appendEntry(data []byte, u *undo) []byte {
	e := &u.slot.entry
	if !u.changed() {
		return data
	}
	if e.is(isGone) {
		return append(append(data, logGone), e.id[:]...)
	}
	kind := byte(0)
	seen := u.old
	seen.last, seen.day = b.now, e.day
	if u.fields == nil && seen.known() {
		if seen == e.head {
			kind = logSeen
		} else if seen.emitted = seconds(b.now); seen == e.head {
			kind = logSent
		}
	}
	if kind != 0 {
		data = append(append(data, kind), e.id[:]...)
		return binary.LittleEndian.AppendUint16(data, e.day)
	}
	if !e.known() {
		return data
	}
	return appendEntry(append(data, logWhole), e, b.t.fresh[e.id])
}

// appendRest appends what else the batch changed.
func (b *Batch) appendRest(data []byte) ([]byte, error) {
	t, r := b.t, &b.rest
	r.Names = t.names.list()[t.savedName:]
	r.FirstScope, r.Scopes = t.scopes.saved, t.scopes.list[t.scopes.saved:]
	for key, sn := range b.snaps {
		r.Snapshots = append(r.Snapshots, savedSnapshot{key, sn})
	}
	for name, sc := range b.scans {
		r.Scans = append(r.Scans, *sc)
		for n := range b.touched[name] {
			if r.ScanScopes == nil {
				r.ScanScopes = map[string][]uint32{}
			}
			r.ScanScopes[name] = append(r.ScanScopes[name], n)
		}
	}
	r.AnyTenant = r.AnyTenant && !t.open.AnyTenant
	if len(r.Names) == 0 && len(r.Scopes) == 0 {
		r.FirstScope = 0
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if string(text) == "{}" {
		return data, nil
	}
	return append(append(data, logRest), text...), nil
}

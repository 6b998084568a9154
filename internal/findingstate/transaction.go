package findingstate

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// Transaction is a set of changes that are written together, after the records that they let through have been delivered. It is valid
// until Commit or Abort; one of them must follow, under the same Lock. It is not safe for concurrent use.
type Transaction struct {
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

// undo is a slot as it was before the transaction.
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

// Begin starts a transaction. The tracker must be locked until its end.
func (t *Tracker) Begin(now time.Time) (*Transaction, error) {
	if t.lost != nil {
		return nil, t.lost
	}
	t.batches++
	return &Transaction{t: t, number: t.batches, now: t.now(now)}, nil
}

// Load reads what is known of these findings into memory. Call it once, before the first Decide. After a batch that could not be
// written it fails until there is room again: without that, the same findings would be delivered over and over, since none of
// them could be remembered.
func (tx *Transaction) Load(ctx context.Context, obs []*Observation) error {
	if err := tx.t.probe(ctx); err != nil {
		return err
	}
	removed := tx.t.cache.removed
	ids := tx.missing(obs)
	if err := tx.t.room(ctx, len(obs), len(ids)); err != nil {
		return err
	}
	if tx.t.cache.removed != removed { // some of them, perhaps
		ids = tx.missing(obs)
	}
	return tx.t.load(ctx, ids)
}

// missing finds the slots of what is cached, and returns what is not.
func (tx *Transaction) missing(obs []*Observation) (ids []id) {
	c := tx.t.cache
	for len(obs) > 0 {
		var first [32]place // looked up together: memory answers many questions in the time of one
		group := obs[:min(len(obs), len(first))]
		for i, o := range group {
			first[i] = c.index.first(o.id)
		}
		for i, o := range group {
			if o.slot = c.getAt(o.id, first[i]); o.slot == nil {
				ids = append(ids, o.id)
			}
			if tx.t.open.AnyTenant && o.anyTenant != (id{}) && c.get(o.anyTenant) == nil {
				ids = append(ids, o.anyTenant)
			}
		}
		obs = obs[len(group):]
	}
	return ids
}

// change returns the slot of an entry for changing.
func (tx *Transaction) change(i id) *slot {
	if s := tx.t.cache.get(i); s != nil {
		return tx.changeSlot(s, false)
	}
	return tx.changeSlot(tx.t.cache.add(&entry{head: head{id: i}}), true)
}

func (tx *Transaction) changeSlot(s *slot, added bool) *slot {
	if s.batch != tx.number {
		s.batch, s.undo = tx.number, uint32(len(tx.undo))
		tx.undo = append(tx.undo, undo{slot: s, old: s.head, added: added})
	}
	return s
}

func (u *undo) changed() bool { return u.fields != nil || u.slot.head != u.old }

// saveFields must come before a change of a slot's fields.
func (tx *Transaction) saveFields(s *slot) {
	if u := &tx.undo[s.undo]; u.fields == nil {
		u.fields = &fields{s.n, s.fields}
	}
}

// reset makes a slot's entry one of which nothing is known but these flags.
func (tx *Transaction) reset(s *slot, f flags) {
	tx.saveFields(s)
	s.entry = entry{head: head{id: s.id, flags: f}}
}

// Decide says what is new about a finding: it fills in the observation's Change, Emit and Fields.
func (tx *Transaction) Decide(o *Observation) {
	t := tx.t
	s := o.slot // none is evicted during a batch
	if s != nil {
		tx.changeSlot(s, false)
	} else {
		s = tx.change(o.id)
	}
	if s.is(isGone) {
		tx.reset(s, 0)
	}
	hidden := tx.hiddenElsewhere(s, o)
	known := s.known()
	content := s.content
	if t.apply(&s.entry, o, tx.now, hidden) && content != o.content {
		tx.saveFields(s)
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
		tx.rest.AnyTenant = tx.rest.AnyTenant || o.scope.Tenant == ""
		return
	}
	tx.seen(s.scope, o)
}

// hiddenElsewhere reports whether an event without a tenant hides the finding.
func (tx *Transaction) hiddenElsewhere(s *slot, o *Observation) bool {
	t := tx.t
	if !t.open.AnyTenant && !tx.rest.AnyTenant || o.anyTenant == (id{}) {
		return false
	}
	any := t.cache.get(o.anyTenant)
	switch {
	case any == nil || !any.is(byEvent):
		return false
	case any.hiddenAt(tx.now):
		if after := t.opts.ExpireAfter.Milliseconds(); after > 0 && !o.event && !any.is(isFinding) && tx.now-any.last >= after/16 {
			tx.changeSlot(any, false).last = tx.now // it must not expire before what it hides
		}
		return true
	case s.emitted != 0 && s.last < int64(any.until)*1000: // it was hidden, though nothing came of it meanwhile
		s.set(isReturning)
	}
	return false
}

// Abort forgets the transaction.
func (tx *Transaction) Abort() {
	for i := len(tx.undo) - 1; i >= 0; i-- {
		u := &tx.undo[i]
		if u.added {
			delete(tx.t.fresh, u.old.id)
			tx.t.cache.remove(u.old.id)
			continue
		}
		if !u.old.known() && u.slot.known() { // it had expired
			delete(tx.t.fresh, u.old.id)
		}
		u.slot.head = u.old
		if u.fields != nil {
			u.slot.n, u.slot.fields = u.fields.n, u.fields.list
		}
	}
}

// Commit writes the transaction. After an error it is forgotten: the sender repeats the records, and they go through again.
func (tx *Transaction) Commit(ctx context.Context) error {
	t := tx.t
	data := make([]byte, 0, 64+16*len(tx.undo))
	data = append(data, version)
	data = binary.LittleEndian.AppendUint64(data, uint64(tx.now))
	head := len(data)
	for i := range tx.undo {
		u := &tx.undo[i]
		if !u.added && !u.slot.known() { // nothing is left to remember
			tx.reset(u.slot, isGone)
		}
		data = tx.appendEntry(data, u)
	}
	data, err := tx.appendRest(data)
	if err != nil {
		tx.Abort()
		return err
	}
	if len(data) > head || len(tx.chunks) > 0 {
		if err := tx.stillOwner(ctx); err != nil {
			tx.Abort()
			return err
		}
		ops := append(tx.chunks, Op{Kind: Set, Key: logKey(t.next), Value: data}, Op{Kind: Get, Key: keyMeta})
		if err := t.store.Batch(ctx, ops); err != nil {
			tx.Abort()
			t.setFailed(ops)
			return fmt.Errorf("write the state: %w", err)
		}
		if err := t.checkOwner(ops[len(ops)-1].Value); err != nil {
			tx.Abort()
			return err
		}
		t.probed = 0
		t.next++
		t.logBytes += int64(len(data))
	}
	for i := range tx.undo {
		u := &tx.undo[i]
		switch {
		case u.added && !u.slot.known():
			delete(t.fresh, u.old.id) // it may have been known in the middle of the batch
			t.cache.remove(u.old.id)
		case u.changed():
			t.cache.setDirty(u.slot)
		}
	}
	t.savedName += len(tx.rest.Names)
	t.scopes.saved += len(tx.rest.Scopes)
	t.open.apply(&tx.rest)
	if tx.sweeps {
		t.sweep.page = tx.sweptTo
		t.sweep.fresh = t.sweep.fresh[tx.sweptFresh:]
	}
	if tx.sweepEnds {
		t.sweep = nil
	}
	return nil
}

// ownerInterval is how long, in milliseconds, a look at who owns the state holds. Each write looks too, but only after it was
// done: a collector that was paused for longer must look before it writes.
const ownerInterval = 1000

func (tx *Transaction) stillOwner(ctx context.Context) error {
	t := tx.t
	if tx.now-t.checked < ownerInterval && tx.now >= t.checked {
		return nil
	}
	root := []Op{{Kind: Get, Key: keyMeta}}
	if err := t.store.Batch(ctx, root); err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	t.checked = tx.now
	return t.checkOwner(root[0].Value)
}

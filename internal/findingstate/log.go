package findingstate

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// A record of the log holds what one batch changed: a header, entries, and the rest as JSON.
//
//	version 1 byte, time 8 bytes
//	whole entries    kind 1, as on a page; the alert id only where the entry is on no page
//	entries seen     kind 2, id, day; seen at the time of the header, otherwise as before
//	entries sent     kind 3, id, day; that and went on again unchanged
//	entries gone     kind 4, id
//	rest             kind 5, JSON to the end
const (
	logWhole = iota + 1
	logSeen
	logSent
	logGone
	logRest
)

// logged is the rest of a record of the log: everything but entries. What is there replaces what was.
type logged struct {
	Names      []string            `json:"names,omitempty"`
	FirstScope int                 `json:"first_scope,omitempty"`
	Scopes     []scope             `json:"scopes,omitempty"`
	Snapshots  []savedSnapshot     `json:"snapshots,omitempty"`
	Ended      []snapshotKey       `json:"ended,omitempty"`
	Scans      []scan              `json:"scans,omitempty"`
	ScanScopes map[string][]uint32 `json:"scan_scopes,omitempty"` // that a scan touched besides
	Dropped    []string            `json:"dropped,omitempty"`     // scans
	Closed     []closed            `json:"closed,omitempty"`      // besides
	Swept      int                 `json:"swept,omitempty"`       // so many of the first closed are done, before Closed
	AnyTenant  bool                `json:"any_tenant,omitempty"`
}

var errLog = errors.New("record of the log is damaged")

// readLog applies the log.
func (t *Tracker) readLog(ctx context.Context) error {
	for {
		ops := []Op{{Kind: Get, Key: logKey(t.next)}}
		if err := t.store.Batch(ctx, ops); err != nil {
			return fmt.Errorf("read the state: %w", err)
		}
		data := ops[0].Value
		if data == nil {
			break
		}
		if err := t.replay(ctx, data); errors.Is(err, errLog) {
			t.Damaged++
		} else if err != nil {
			return err
		}
		t.next++
		t.logBytes += int64(len(data))
	}
	t.scopes.saved = len(t.scopes.list)
	t.savedName = len(t.names.list())
	return nil
}

// replay applies one record. Entries that the pages hold already may be applied again: the last record of the log wins.
func (t *Tracker) replay(ctx context.Context, data []byte) error {
	if len(data) < 9 || data[0] != version {
		return errLog
	}
	now := int64(binary.LittleEndian.Uint64(data[1:]))
	t.clock = now
	var ids []id
	if err := eachLogged(data[9:], func(kind byte, one []byte) error {
		if kind != logRest {
			ids = append(ids, idOf(one))
		}
		return nil
	}); err != nil {
		return err
	}
	if t.cache.len()+len(ids) > t.opts.CacheFindings { // the log may be of a collector with a larger cache
		t.cache.evict(max(0, t.opts.CacheFindings-len(ids)))
	}
	if err := t.load(ctx, ids); err != nil {
		return err
	}
	return eachLogged(data[9:], func(kind byte, one []byte) error {
		if kind == logRest {
			return t.replayRest(one)
		}
		i := idOf(one)
		s := t.cache.get(i)
		if kind == logWhole {
			var e entry
			alertID := readEntry(one, &e)
			if s == nil { // on no page, unless a flush was cut short
				s = t.cache.add(&e)
				t.fresh[i] = string(alertID)
			}
			s.entry = e
			t.cache.setDirty(s)
			return nil
		}
		if s == nil {
			return nil // it went with a damaged page
		}
		switch kind {
		case logSeen, logSent:
			s.last = now
			s.day = binary.LittleEndian.Uint16(one[len(i):])
			if kind == logSent {
				s.emitted = seconds(now)
			}
		case logGone:
			s.entry = entry{head: head{id: i, flags: isGone}}
		}
		t.cache.setDirty(s)
		return nil
	})
}

func eachLogged(data []byte, f func(kind byte, one []byte) error) error {
	for len(data) > 0 {
		kind := data[0]
		data = data[1:]
		var one []byte
		switch kind {
		case logWhole:
			var err error
			if one, data, err = nextEntry(data); err != nil {
				return errLog
			}
		case logSeen, logSent, logGone:
			size := len(id{})
			if kind != logGone {
				size += 2
			}
			if len(data) < size {
				return errLog
			}
			one, data = data[:size], data[size:]
		case logRest:
			one, data = data, nil
		default:
			return errLog
		}
		if err := f(kind, one); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tracker) replayRest(data []byte) error {
	var r logged
	if err := json.Unmarshal(data, &r); err != nil {
		return errLog
	}
	for _, name := range r.Names {
		t.names.add(name)
	}
	for i, sc := range r.Scopes {
		if r.FirstScope+i == len(t.scopes.list) {
			t.scopes.add(sc)
		}
	}
	t.open.apply(&r)
	return nil
}

// apply takes over what a batch changed.
func (o *open) apply(r *logged) {
	for _, one := range r.Snapshots {
		o.Snapshots[one.snapshotKey] = one.snapshot
	}
	for _, key := range r.Ended {
		delete(o.Snapshots, key)
	}
	for _, one := range r.Scans {
		sc := one
		sc.scopes = map[uint32]struct{}{}
		if old := o.Scans[sc.ID]; old != nil {
			o.waitingBytes -= old.Bytes
			sc.scopes = old.scopes
		}
		o.waitingBytes += sc.Bytes
		o.NextScan = max(o.NextScan, sc.No+1)
		o.Scans[sc.ID] = &sc
	}
	for name, list := range r.ScanScopes {
		if sc := o.Scans[name]; sc != nil {
			for _, n := range list {
				sc.scopes[n] = struct{}{}
			}
		}
	}
	for _, name := range r.Dropped {
		if sc := o.Scans[name]; sc != nil {
			o.waitingBytes -= sc.Bytes
			delete(o.Scans, name)
		}
	}
	o.Closed = append(o.Closed[min(r.Swept, len(o.Closed)):], r.Closed...)
	o.AnyTenant = o.AnyTenant || r.AnyTenant
}

// appendEntry appends what a transaction changed in one entry.
func (tx *Transaction) appendEntry(data []byte, u *undo) []byte {
	e := &u.slot.entry
	if !u.changed() {
		return data
	}
	if e.is(isGone) {
		return append(append(data, logGone), e.id[:]...)
	}
	kind := byte(0)
	seen := u.old
	seen.last, seen.day = tx.now, e.day
	if u.fields == nil && seen.known() {
		if seen == e.head {
			kind = logSeen
		} else if seen.emitted = seconds(tx.now); seen == e.head {
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
	return appendEntry(append(data, logWhole), e, tx.t.fresh[e.id])
}

// appendRest appends what else the transaction changed.
func (tx *Transaction) appendRest(data []byte) ([]byte, error) {
	t, r := tx.t, &tx.rest
	r.Names = t.names.list()[t.savedName:]
	r.FirstScope, r.Scopes = t.scopes.saved, t.scopes.list[t.scopes.saved:]
	for key, sn := range tx.snaps {
		r.Snapshots = append(r.Snapshots, savedSnapshot{key, sn})
	}
	for name, sc := range tx.scans {
		r.Scans = append(r.Scans, *sc)
		for n := range tx.touched[name] {
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

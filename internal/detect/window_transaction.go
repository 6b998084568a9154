package detect

import (
	"slices"
	"time"
)

// windowTransaction is a transaction. It holds the lock until Commit or Rollback.
type windowTransaction struct {
	w      *Windows
	undo   []undo
	seen   map[*window]bool
	counts Counts // before
	done   bool
}

type undo struct {
	window *window
	before window // its content; key empty when it was made in this transaction
}

func (w *Windows) begin() *windowTransaction {
	w.mu.Lock()
	return &windowTransaction{w: w, seen: map[*window]bool{}, counts: w.counts}
}

// touch remembers a window as it was, before its first change.
func (t *windowTransaction) touch(x *window) {
	if t.seen[x] {
		return
	}
	t.seen[x] = true
	before := *x
	before.ids, before.samples, before.entries = slices.Clone(x.ids), slices.Clone(x.samples), slices.Clone(x.entries)
	t.undo = append(t.undo, undo{x, before})
}

func (t *windowTransaction) add(key string, period, at int64) *window {
	x := &window{key: key, period: period, start: at, last: at, slot: t.w.takeSlot()}
	t.seen[x] = true
	t.undo = append(t.undo, undo{window: x})
	t.w.insert(x)
	return x
}

// counted is what came of a record.
type counted struct {
	window *window
	fired  bool // with this record
}

// match counts a record of a rule with a threshold. draft makes the finding as the first record tells it.
func (t *windowTransaction) match(key string, period time.Duration, threshold int, at int64, id string, draft func() []byte) counted {
	x := t.w.find(key, int64(period), at)
	if x == nil {
		x = t.add(key, int64(period), at)
		x.draft = draft()
	} else {
		t.touch(x)
	}
	h := hash(id)
	if !x.fired && h != 0 && slices.Contains(x.ids, h) {
		t.w.counts.Duplicate++
		return counted{window: x}
	}
	if at < x.start {
		t.w.counts.Late++
		if !x.fired { // a finding that is out keeps its window
			t.w.move(x, x.key, at)
		}
	}
	x.last = max(x.last, at)
	x.count++
	if x.fired {
		return counted{window: x}
	}
	if len(x.samples) < maxSamples && id != "" {
		x.samples = append(x.samples, cut(id))
	}
	if x.count >= threshold {
		x.fired, x.ids = true, nil
		return counted{window: x, fired: true}
	}
	if h != 0 {
		x.ids = append(x.ids, h)
	}
	return counted{window: x}
}

// commit keeps the changes and forgets windows over the limits. Before anything else is counted it calls write, which may be nil,
// with what the store has to hold.
func (t *windowTransaction) commit(write func([]Change)) {
	w := t.w
	defer t.unlock()
	now := w.now().UnixNano()
	var changes []Change
	for i := range t.undo {
		x := t.undo[i].window
		x.touched = now
		w.lru.MoveToBack(x.place)
		if x.fired {
			x.draft = nil
			x.samples = nil
		}
		w.bytes -= x.size
		x.size = x.weigh()
		w.bytes += x.size
		// Once a window has fired, nothing depends on what joins it.
		if before := &t.undo[i].before; write != nil && (before.key == "" || !before.fired) {
			changes = append(changes, Change{x.slot, x.encode()})
		}
	}
	for w.lru.Len() > w.limits.Windows || w.bytes > w.limits.Bytes && w.lru.Len() > 1 {
		x := w.lru.Front().Value.(*window)
		w.remove(x)
		w.counts.Evicted++
		changes = append(changes, Change{Slot: x.slot})
	}
	if write != nil && len(changes) > 0 {
		write(lastOf(changes))
	}
}

// lastOf keeps the last change of each slot: one that is deleted may have been written before.
func lastOf(changes []Change) []Change {
	last := make(map[int]int, len(changes))
	for i, c := range changes {
		last[c.Slot] = i
	}
	if len(last) == len(changes) {
		return changes
	}
	kept := changes[:0]
	for i, c := range changes {
		if last[c.Slot] == i {
			kept = append(kept, c)
		}
	}
	return kept
}

// rollback undoes everything. After commit it does nothing.
func (t *windowTransaction) rollback() {
	if t.done {
		return
	}
	w := t.w
	defer t.unlock()
	w.counts = t.counts
	for i := len(t.undo) - 1; i >= 0; i-- {
		x, before := t.undo[i].window, t.undo[i].before
		if before.key == "" {
			w.remove(x)
			continue
		}
		w.move(x, before.key, before.start)
		place, size := x.place, x.size
		*x = before
		x.place, x.size = place, size
	}
}

func (t *windowTransaction) unlock() {
	if !t.done {
		t.done = true
		t.w.mu.Unlock()
	}
}

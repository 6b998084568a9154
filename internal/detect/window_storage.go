package detect

import (
	"encoding/json"
	"slices"
)

// Sweep forgets windows that nothing joined for their period and the linger time, and hands what to delete to write, which
// may be nil.
func (w *Windows) Sweep(write func([]Change)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now().UnixNano()
	var changes []Change
	for e := w.lru.Front(); e != nil; {
		x := e.Value.(*window)
		e = e.Next()
		if now-x.touched < int64(w.limits.Linger) {
			break // those behind were touched later
		}
		if now-x.touched-int64(w.limits.Linger) >= x.period {
			w.remove(x)
			w.counts.Expired++
			changes = append(changes, Change{Slot: x.slot})
		}
	}
	if write != nil && len(changes) > 0 {
		write(changes)
	}
}

// stored is a window in the store.
type stored struct {
	Key     string          `json:"key"`
	Period  int64           `json:"period"`
	Start   int64           `json:"start"`
	Last    int64           `json:"last"`
	Count   int             `json:"count"`
	Fired   bool            `json:"fired,omitempty"`
	AlertID string          `json:"alert_id,omitempty"`
	IDs     []uint64        `json:"ids,omitempty"`
	Samples []string        `json:"samples,omitempty"`
	Entries []entry         `json:"entries,omitempty"`
	Draft   json.RawMessage `json:"draft,omitempty"`
}

func (x *window) encode() []byte {
	data, err := json.Marshal(stored{x.key, x.period, x.start, x.last, x.count, x.fired, x.alertID, x.ids, x.samples, x.entries, x.draft})
	if err != nil { // the draft is JSON that was checked
		return []byte("{}")
	}
	return data
}

// Restore takes a window out of the store again. It counts as touched now, so that what waited while nothing ran can
// still join it. The error says why it is left out.
func (w *Windows) Restore(slot int, data []byte) error {
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	if s.Key == "" || s.Period <= 0 || s.Count < 0 || s.Last < s.Start {
		return errBroken
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if slot < w.next {
		w.free = slices.DeleteFunc(w.free, func(other int) bool { return other == slot })
	} else {
		for ; w.next < slot; w.next++ {
			w.free = append(w.free, w.next)
		}
		w.next++
	}
	x := &window{key: s.Key, slot: slot, period: s.Period, start: s.Start, last: s.Last, touched: w.now().UnixNano(), count: s.Count,
		fired: s.Fired, alertID: s.AlertID, ids: s.IDs, samples: s.Samples, entries: s.Entries, draft: s.Draft}
	w.insert(x)
	return nil
}

package detect

import (
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"
)

// Limits of what is held for one window.
const (
	maxSamples = 10 // ids of records that a finding names
	// windowBytes is what a window costs beside its texts and lists: the struct, its place in the map and in the list.
	windowBytes = 320
)

// Defaults of Limits.
const (
	DefaultMaxWindows = 100_000
	DefaultMaxBytes   = 64 << 20
	DefaultLinger     = time.Hour
)

// Limits bound the memory that windows take. A zero value means the default.
type Limits struct {
	Windows int   // how many are held
	Bytes   int64 // what they hold together, counted approximately
	// Linger is how long a window is held after its last record arrived, beyond its period: records that come later than
	// that begin a new one.
	Linger time.Duration
}

// Windows holds what was counted of each rule and dedup string. Windows move by the time of the records, never by the
// clock: the clock only decides when an idle one is forgotten. It is safe for concurrent use; a transaction excludes all
// others.
//
// A window begins with the earliest record of its rule and dedup string and lasts for the rule's dedup period. Records
// within it join it. A record that is late, from before the beginning, joins when the window with it would still be no
// longer than the period, and is its beginning then; otherwise it begins a window of its own. A record whose id was
// counted already is not counted again.
//
// A correlation's window slides until its condition holds: any time span that holds enough counts. From then on it is a
// window that began with the earliest record of that span.
type Windows struct {
	mu     sync.Mutex
	limits Limits
	now    func() time.Time
	byKey  map[string][]*window // by start
	lru    list.List            // of *window, the longest untouched first
	bytes  int64
	free   []int // slots below next that are not in use
	next   int

	counts Counts
}

// Counts are totals since the start.
type Counts struct {
	Evicted   int64 // windows forgotten for want of room before their time
	Expired   int64 // windows forgotten because nothing came any more
	Late      int64 // records from before the beginning of the window that they joined
	Duplicate int64 // records that were counted already
}

// window is one window. Times are Unix nanoseconds.
type window struct {
	key     string
	slot    int // in the store
	period  int64
	start   int64
	last    int64 // latest record
	touched int64 // by the clock
	count   int
	fired   bool
	alertID string // once fired
	ids     []uint64
	samples []string
	entries []entry // of a correlation until it fires, by time
	draft   []byte  // of the finding, from the first record, until it fires

	place *list.Element
	size  int64
}

// entry is a record that a correlation counts.
type entry struct {
	At    int64  `json:"t"`
	ID    uint64 `json:"i,omitempty"`
	Value uint64 `json:"v,omitempty"`
}

// NewWindows makes windows that forget by the clock now.
func NewWindows(limits Limits, now func() time.Time) *Windows {
	if limits.Windows <= 0 {
		limits.Windows = DefaultMaxWindows
	}
	if limits.Bytes <= 0 {
		limits.Bytes = DefaultMaxBytes
	}
	if limits.Linger <= 0 {
		limits.Linger = DefaultLinger
	}
	return &Windows{limits: limits, now: now, byKey: map[string][]*window{}}
}

// Len is how many windows are held, Bytes about how much they hold, and Counts what happened to others.
func (w *Windows) Len() (windows int, bytes int64, counts Counts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lru.Len(), w.bytes, w.counts
}

// Change is a slot of the store that has to be written: its new content, nil to delete it.
type Change struct {
	Slot int
	Data []byte
}

// tx is a transaction. It holds the lock until Commit or Rollback.
type tx struct {
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

func (w *Windows) begin() *tx {
	w.mu.Lock()
	return &tx{w: w, seen: map[*window]bool{}, counts: w.counts}
}

// touch remembers a window as it was, before its first change.
func (t *tx) touch(x *window) {
	if t.seen[x] {
		return
	}
	t.seen[x] = true
	before := *x
	before.ids, before.samples, before.entries = slices.Clone(x.ids), slices.Clone(x.samples), slices.Clone(x.entries)
	t.undo = append(t.undo, undo{x, before})
}

func (t *tx) add(key string, period, at int64) *window {
	x := &window{key: key, period: period, start: at, last: at, slot: t.w.takeSlot()}
	t.seen[x] = true
	t.undo = append(t.undo, undo{window: x})
	t.w.insert(x)
	return x
}

func (w *Windows) takeSlot() int {
	if n := len(w.free); n > 0 {
		slot := w.free[n-1]
		w.free = w.free[:n-1]
		return slot
	}
	w.next++
	return w.next - 1
}

func (w *Windows) insert(x *window) {
	w.list(x)
	x.place = w.lru.PushBack(x)
	x.size = x.weigh()
	w.bytes += x.size
}

func (w *Windows) remove(x *window) {
	w.unlist(x)
	w.lru.Remove(x.place)
	w.bytes -= x.size
	w.free = append(w.free, x.slot)
}

// list puts a window among those of its key. They are found by their start, since a sender that chooses its times can make
// very many.
func (w *Windows) list(x *window) {
	windows := w.byKey[x.key]
	w.byKey[x.key] = slices.Insert(windows, since(windows, x.start), x)
}

func (w *Windows) unlist(x *window) {
	windows := w.byKey[x.key]
	i := since(windows, x.start)
	for windows[i] != x {
		i++
	}
	if len(windows) == 1 {
		delete(w.byKey, x.key)
		return
	}
	w.byKey[x.key] = slices.Delete(windows, i, i+1)
}

// move gives a window another key and start.
func (w *Windows) move(x *window, key string, start int64) {
	if x.key == key && x.start == start {
		return
	}
	w.unlist(x)
	x.key, x.start = key, start
	w.list(x)
}

// since is the index of the first window that begins at the time or later.
func since(windows []*window, at int64) int {
	i, _ := slices.BinarySearchFunc(windows, at, func(x *window, at int64) int { return cmp.Compare(x.start, at) })
	return i
}

func (x *window) weigh() int64 {
	size := int64(windowBytes + len(x.key) + cap(x.draft) + 8*cap(x.ids) + 24*cap(x.entries))
	for _, s := range x.samples {
		size += int64(len(s)) + 16
	}
	return size
}

// joins reports whether a record at the time belongs to the window.
func (x *window) joins(at int64) bool {
	if at >= x.start {
		return at-x.start < x.period
	}
	return x.last-at < x.period
}

// find finds the window that a record at the time joins: the one it lies in before one that it would make earlier.
func (w *Windows) find(key string, period, at int64) (found *window) {
	windows := w.byKey[key]
	for i := since(windows, at-period+1); i < len(windows) && windows[i].start < at+period; i++ {
		if x := windows[i]; x.joins(at) && (found == nil || at >= x.start && at < found.start) {
			found = x
		}
	}
	return found
}

// counted is what came of a record.
type counted struct {
	window *window
	fired  bool // with this record
}

// match counts a record of a rule with a threshold. draft makes the finding as the first record tells it.
func (t *tx) match(key string, period time.Duration, threshold int, at int64, id string, draft func() []byte) counted {
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
func (t *tx) commit(write func([]Change)) {
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
func (t *tx) rollback() {
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

func (t *tx) unlock() {
	if !t.done {
		t.done = true
		t.w.mu.Unlock()
	}
}

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

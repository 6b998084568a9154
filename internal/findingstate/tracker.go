package findingstate

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Options are what users may say about the state.
type Options struct {
	// All lets every finding go on that is not hidden, not only what is news.
	All bool
	// Heartbeat is how long an open finding stays silent; 0 is for ever.
	Heartbeat time.Duration
	// OnScanCompleted makes the findings of a scan wait until it has completed.
	OnScanCompleted bool
	// QuietPeriod is how long a snapshot without scan id is silent before it counts as complete, and how long a completed scan is
	// waited for stragglers; 0 means that there are no snapshots but those of scans.
	QuietPeriod time.Duration
	// SnapshotFormats are the formats whose sources write everything again each time.
	SnapshotFormats []string
	// ExpireAfter is how long a finding is remembered that does not come again.
	ExpireAfter time.Duration
	// SweepGather is how long complete snapshots are gathered for one sweep, which costs the same for one as for many;
	// SweepInterval is how often a sweep looks for what expires when there is none.
	SweepGather, SweepInterval time.Duration
	// MaxWaitingBytes bounds what waits for scans to complete, and MaxWaitingTime for how long.
	MaxWaitingBytes int64
	MaxWaitingTime  time.Duration
	// CacheFindings is how many findings are kept in memory, at about 200 bytes each.
	CacheFindings int
	// MaxLogBatches is after how many batches pages are written; 0 is 4096.
	MaxLogBatches uint64
	// IgnoreFields are the fields of a finding whose change is no news.
	IgnoreFields []string
	// AnyTenant lets a disposition without a tenant hide the findings of that alert id of all tenants.
	AnyTenant bool
}

// MinCacheFindings is the smallest Options.CacheFindings: what one batch or one step of a sweep touches must fit.
const MinCacheFindings = 16 << 10

// version of what is on disk.
const version = 1

// meta is the root of the state.
type meta struct {
	Version int    `json:"version"`
	Key     string `json:"key"`     // secret of the hashes, in hexadecimal
	Owner   string `json:"owner"`   // who opened the state last
	Pages   uint32 `json:"pages"`   // number of pages
	Entries uint64 `json:"entries"` // on pages
	Log     uint64 `json:"log"`     // first record of the log that the pages may not hold
}

// Tracker is the state of all findings. Lock it around everything but NewObserver and Observe.
type Tracker struct {
	opts    Options
	store   Storage
	lock    chan struct{}
	key     sipKey
	ignored map[string]bool
	formats map[string]bool

	meta      meta
	names     *names
	scopes    *scopes
	anyTenant [2]sipKey // keys of the ids of findings without a tenant
	cache     *cache
	fresh     map[id]string // alert ids of entries that are on no page
	batches   uint32
	next      uint64 // number of the next record of the log
	logBytes  int64
	cycle     cycle
	savedName int // names that are in the log or on disk
	open      open
	clock     int64 // the last now, in milliseconds
	sweep     *sweep
	swept     int64 // when the last sweep began
	checked   int64 // when the storage was asked whose state this is
	lost      error // another collector has opened the state
	failed    int   // bytes that the next probe writes, after a batch that could not be written; 0 after one that could
	probed    int   // bytes that the last probe wrote; 0 once a batch was written

	// Damaged counts entries and pages that could not be read and were given up.
	Damaged int
}

// ErrTakenOver means that another collector has opened the same state since.
var ErrTakenOver = errors.New("another collector has opened the same state; only one may use it at a time")

// Open reads the state, or begins one in an empty storage. The log is read again and costs at most what the cache holds.
func Open(ctx context.Context, store Storage, opts Options) (*Tracker, error) {
	opts.CacheFindings = max(opts.CacheFindings, MinCacheFindings)
	if opts.MaxLogBatches == 0 {
		opts.MaxLogBatches = maxLogBatches
	}
	t := &Tracker{
		opts: opts, store: store, lock: make(chan struct{}, 1),
		ignored: map[string]bool{}, formats: map[string]bool{}, fresh: map[id]string{}, cache: newCache(), scopes: newScopes(),
		open: newOpen(),
	}
	for _, name := range opts.IgnoreFields {
		t.ignored[name] = true
	}
	for _, format := range opts.SnapshotFormats {
		t.formats[format] = true
	}
	ops := []Op{{Kind: Get, Key: keyMeta}, {Kind: Get, Key: keyNames}, {Kind: Get, Key: keyOpen}}
	if err := store.Batch(ctx, ops); err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	if err := t.readMeta(ops[0].Value); err != nil {
		return nil, err
	}
	var list []string
	if ops[1].Value != nil {
		if err := json.Unmarshal(ops[1].Value, &list); err != nil {
			return nil, fmt.Errorf("%s: %w", keyNames, err)
		}
	}
	t.names = newNames(t.key, list)
	t.savedName = len(t.names.list())
	if ops[2].Value != nil {
		if err := json.Unmarshal(ops[2].Value, &t.open); err != nil {
			return nil, fmt.Errorf("%s: %w", keyOpen, err)
		}
	}
	t.anyTenant = t.idKeys("")
	if err := t.readScopes(ctx); err != nil {
		return nil, err
	}
	if err := t.readLog(ctx); err != nil {
		return nil, err
	}
	t.meta.Owner = randomHex()
	if err := store.Batch(ctx, []Op{{Kind: Set, Key: keyMeta, Value: t.meta.encode()}}); err != nil {
		return nil, fmt.Errorf("write the state: %w", err)
	}
	return t, nil
}

func (t *Tracker) readMeta(value []byte) error {
	if value == nil {
		t.meta = meta{Version: version, Key: randomHex(), Pages: 1}
	} else if err := json.Unmarshal(value, &t.meta); err != nil {
		return fmt.Errorf("%s: %w", keyMeta, err)
	}
	if t.meta.Version != version {
		return fmt.Errorf("%s: the state is of version %d, this collector reads %d", keyMeta, t.meta.Version, version)
	}
	key, err := hex.DecodeString(t.meta.Key)
	if err != nil || len(key) != 16 || t.meta.Pages == 0 {
		return fmt.Errorf("%s: damaged", keyMeta)
	}
	t.key = sipKey{binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[8:])}
	t.next = t.meta.Log
	return nil
}

// checkOwner reads from the stored meta who opened the state last, and fails from then on when it was another collector.
func (t *Tracker) checkOwner(value []byte) error {
	var root meta
	if err := json.Unmarshal(value, &root); err != nil || root.Owner != t.meta.Owner {
		t.lost = ErrTakenOver
	}
	return t.lost
}

func (m *meta) encode() []byte {
	data, err := json.Marshal(m)
	if err != nil { // cannot be: strings and numbers
		panic(err)
	}
	return data
}

func randomHex() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// Lock waits for the tracker. What is decided must be delivered before the next batch is decided, or the same finding would
// be new twice.
func (t *Tracker) Lock(ctx context.Context) error {
	select {
	case t.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Unlock lets the next one in.
func (t *Tracker) Unlock() { <-t.lock }

// Close brings the log to the pages, so that the next start need not read it. The state is whole without it too.
func (t *Tracker) Close(ctx context.Context) error {
	if t.lost != nil {
		return nil
	}
	return t.flush(ctx)
}

// now turns the caller's clock into the state's, which does not run backwards, so that what was seen later is later. A clock
// that is an hour behind was wrong before, and then the new one counts.
func (t *Tracker) now(now time.Time) int64 {
	ms := now.UnixMilli()
	if ms < t.clock && t.clock-ms < time.Hour.Milliseconds() {
		return t.clock
	}
	t.clock = ms
	return ms
}

// ahead reports whether a time of the state was noted by a clock that was wrong: it lies further ahead than now lets the clock be
// behind. What it says is not to be waited for.
func ahead(ms, now int64) bool { return ms-now > time.Hour.Milliseconds() }

// Stats are figures of the state.
type Stats struct {
	Findings     uint64 // remembered
	Cached       int    // in memory
	WaitingBytes int64  // of findings that wait for their scan
	Waiting      int    // records
	Pages        uint32
	LogBytes     int64
}

// Stats returns the figures of the moment.
func (t *Tracker) Stats() Stats {
	s := Stats{
		Findings: t.meta.Entries + uint64(len(t.fresh)), Cached: t.cache.len(), Pages: t.meta.Pages, LogBytes: t.logBytes,
		WaitingBytes: t.open.waitingBytes,
	}
	for _, sc := range t.open.Scans {
		s.Waiting += sc.Records
	}
	return s
}

package perceptionpointreceiver

import (
	"cmp"
	"slices"
)

// memory holds the fingerprints of all scans that may be listed again, in buckets by time: a bucket is dropped as a whole when
// every scan in it lies before the overlap. The newest bucket is a map, the older ones sorted arrays of 32 bytes a scan, so that
// memory is 32 bytes for each scan, and about 80 for those of the newest bucket. Not safe for concurrent use.
type memory struct {
	width int64 // of new buckets, in seconds; those of before a change of the configuration keep theirs
	max   int   // scans; the oldest bucket goes first

	buckets []*bucket // by time, the newest last
	n       int
}

// bucket holds the scans that were first seen, or last changed, in a listing that ended within its time.
type bucket struct {
	number int64                  // its time is [number*width, (number+1)*width)
	width  int64                  // in seconds
	open   map[uint64]fingerprint // nil when closed
	closed []fingerprint          // by id
	blocks int                    // of this bucket in storage
	tail   []fingerprint          // of the last block, while open
}

// end is the first second behind the bucket's time.
func (b *bucket) end() int64 { return (b.number + 1) * b.width }

func (b *bucket) len() int { return len(b.open) + len(b.closed) }

func newMemory(width int64, max int) *memory { return &memory{width: width, max: max} }

// get is the last fingerprint of a scan.
func (m *memory) get(id uint64) (fingerprint, bool) {
	for i := len(m.buckets) - 1; i >= 0; i-- {
		b := m.buckets[i]
		if s, ok := b.open[id]; ok {
			return s, true
		}
		if j, ok := slices.BinarySearchFunc(b.closed, id, func(s fingerprint, id uint64) int { return cmp.Compare(s.id, id) }); ok {
			return b.closed[j], true
		}
	}
	return fingerprint{}, false
}

// put remembers a fingerprint of a listing that ended at end, epoch seconds, and returns the bucket that holds it.
func (m *memory) put(s fingerprint, end int64) *bucket {
	b := m.bucketAt(end)
	before := b.len()
	b.open[s.id] = s
	m.n += b.len() - before
	return b
}

// bucketAt is the open bucket of a time. The time of a listing never goes far back; a bucket that is closed already takes
// no more, the newest does instead: holding a scan for longer is harmless.
func (m *memory) bucketAt(end int64) *bucket {
	if n := len(m.buckets); n > 0 {
		if newest := m.buckets[n-1]; newest.end() > end {
			if newest.open == nil { // as read from storage
				newest.reopen()
			}
			return newest
		}
		m.buckets[n-1].close()
	}
	b := &bucket{number: end / m.width, width: m.width, open: make(map[uint64]fingerprint)}
	m.buckets = append(m.buckets, b)
	return b
}

func (b *bucket) close() {
	if b.open == nil {
		return
	}
	b.closed = make([]fingerprint, 0, len(b.open))
	for _, s := range b.open {
		b.closed = append(b.closed, s)
	}
	slices.SortFunc(b.closed, func(x, y fingerprint) int { return cmp.Compare(x.id, y.id) })
	b.open, b.tail = nil, nil
}

func (b *bucket) reopen() {
	b.open = make(map[uint64]fingerprint, len(b.closed))
	for _, s := range b.closed {
		b.open[s.id] = s
	}
	b.closed = nil
}

// expire drops the buckets whose scans were all made before a time, epoch seconds, and those that are too many, and returns
// them; early counts the scans that had to go before their time.
func (m *memory) expire(before int64) (dropped []*bucket, early int) {
	for len(m.buckets) > 1 || len(m.buckets) == 1 && m.n > m.max {
		b := m.buckets[0]
		expired := b.end() <= before
		if !expired && m.n <= m.max {
			break
		}
		if !expired {
			early += b.len()
		}
		m.n -= b.len()
		dropped = append(dropped, b)
		m.buckets = m.buckets[1:]
	}
	return dropped, early
}

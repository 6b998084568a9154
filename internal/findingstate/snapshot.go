package findingstate

import (
	"cmp"
	"slices"
)

// seen takes a finding for its snapshot: that of its scan, or else of its scope and day.
func (b *Batch) seen(scopeNumber uint32, o *Observation) {
	if o.scanID != "" {
		if sc := b.scan(o.scanID); sc != nil {
			b.seenInScan(sc, scopeNumber)
			return
		}
	}
	if scopeNumber == 0 || b.t.opts.QuietPeriod <= 0 || !b.t.formats[o.scope.Format] {
		return
	}
	key := snapshotKey{scopeNumber, o.day}
	if b.anySnap && key == b.lastSnap {
		return // it has this batch's time already
	}
	b.lastSnap, b.anySnap = key, true
	sn, ok := b.snapshot(key)
	if !ok {
		sn = snapshot{Start: b.now, Limit: o.day}
	}
	sn.Start, sn.Last = min(sn.Start, b.now), b.now
	b.setSnapshot(key, sn)
}

func (b *Batch) snapshot(key snapshotKey) (snapshot, bool) {
	if sn, ok := b.snaps[key]; ok {
		return sn, true
	}
	sn, ok := b.t.open.Snapshots[key]
	return sn, ok
}

func (b *Batch) setSnapshot(key snapshotKey, sn snapshot) {
	if b.snaps == nil {
		b.snaps = map[snapshotKey]snapshot{}
	}
	b.snaps[key] = sn
}

// CloseDue ends the snapshots and scans whose time has come. It must be called every second or so, in a batch of its own, and
// reports whether it changed anything.
func (b *Batch) CloseDue() bool {
	b.closeSnapshots()
	b.closeScans()
	return len(b.rest.Ended)+len(b.rest.Closed)+len(b.rest.Dropped)+len(b.scans)+len(b.snaps) > 0
}

// closeSnapshots ends those without scan ids. One that ran over midnight is one snapshot of two days.
func (b *Batch) closeSnapshots() {
	quiet := b.t.opts.QuietPeriod.Milliseconds()
	all := b.t.open.Snapshots
	var due []snapshotKey
	for key, sn := range all {
		switch {
		case b.now-sn.Last >= quiet:
			due = append(due, key)
		case ahead(sn.Last, b.now): // the clock was wrong: as if the last had come now
			sn.Start, sn.Last = min(sn.Start, b.now), b.now
			b.setSnapshot(key, sn)
		}
	}
	slices.SortFunc(due, func(a, b snapshotKey) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Day, b.Day))
	})
	for _, key := range due {
		sn, _ := b.snapshot(key)
		b.rest.Ended = append(b.rest.Ended, key)
		delete(b.snaps, key)
		if !b.mergeSnapshot(key, sn) {
			b.rest.Closed = append(b.rest.Closed, closed{key.Scope, sn.Start, sn.Limit})
		}
	}
}

// mergeSnapshot makes a snapshot that has ended a part of the one of the next day or the day before, when that began before
// this one was quiet for long.
func (b *Batch) mergeSnapshot(key snapshotKey, sn snapshot) bool {
	for _, day := range [...]uint16{key.Day + 1, key.Day - 1} {
		other := snapshotKey{key.Scope, day}
		next, ok := b.snapshot(other)
		if !ok || slices.Contains(b.rest.Ended, other) || next.Start > sn.Last+b.t.opts.QuietPeriod.Milliseconds() {
			continue
		}
		next.Start = min(next.Start, sn.Start)
		next.Limit = max(next.Limit, sn.Limit)
		b.setSnapshot(other, next)
		return true
	}
	return false
}

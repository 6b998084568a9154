package findingstate

import (
	"cmp"
	"slices"
)

// seen takes a finding for its snapshot: that of its scan, or else of its scope and day.
func (tx *Transaction) seen(scopeNumber uint32, o *Observation) {
	if o.scanID != "" {
		if sc := tx.changeScan(o.scanID); sc != nil {
			tx.seenInScan(sc, scopeNumber)
			return
		}
	}
	if scopeNumber == 0 || tx.t.opts.QuietPeriod <= 0 || !tx.t.formats[o.scope.Format] {
		return
	}
	key := snapshotKey{scopeNumber, o.day}
	if tx.anySnap && key == tx.lastSnap {
		return // it has this batch's time already
	}
	tx.lastSnap, tx.anySnap = key, true
	sn, ok := tx.snapshot(key)
	if !ok {
		sn = snapshot{Start: tx.now, Limit: o.day}
	}
	sn.Start, sn.Last = min(sn.Start, tx.now), tx.now
	tx.setSnapshot(key, sn)
}

func (tx *Transaction) snapshot(key snapshotKey) (snapshot, bool) {
	if sn, ok := tx.snaps[key]; ok {
		return sn, true
	}
	sn, ok := tx.t.open.Snapshots[key]
	return sn, ok
}

func (tx *Transaction) setSnapshot(key snapshotKey, sn snapshot) {
	if tx.snaps == nil {
		tx.snaps = map[snapshotKey]snapshot{}
	}
	tx.snaps[key] = sn
}

// CloseDue ends the snapshots and scans whose time has come. It must be called every second or so, in a batch of its own, and
// reports whether it changed anything.
func (tx *Transaction) CloseDue() bool {
	tx.closeSnapshots()
	tx.closeScans()
	return len(tx.rest.Ended)+len(tx.rest.Closed)+len(tx.rest.Dropped)+len(tx.scans)+len(tx.snaps) > 0
}

// closeSnapshots ends those without scan ids. One that ran over midnight is one snapshot of two days.
func (tx *Transaction) closeSnapshots() {
	quiet := tx.t.opts.QuietPeriod.Milliseconds()
	all := tx.t.open.Snapshots
	var due []snapshotKey
	for key, sn := range all {
		switch {
		case tx.now-sn.Last >= quiet:
			due = append(due, key)
		case ahead(sn.Last, tx.now): // the clock was wrong: as if the last had come now
			sn.Start, sn.Last = min(sn.Start, tx.now), tx.now
			tx.setSnapshot(key, sn)
		}
	}
	slices.SortFunc(due, func(a, b snapshotKey) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Day, b.Day))
	})
	for _, key := range due {
		sn, _ := tx.snapshot(key)
		tx.rest.Ended = append(tx.rest.Ended, key)
		delete(tx.snaps, key)
		if !tx.mergeSnapshot(key, sn) {
			tx.rest.Closed = append(tx.rest.Closed, closed{key.Scope, sn.Start, sn.Limit})
		}
	}
}

// mergeSnapshot makes a snapshot that has ended a part of the one of the next day or the day before, when that began before
// this one was quiet for long.
func (tx *Transaction) mergeSnapshot(key snapshotKey, sn snapshot) bool {
	for _, day := range [...]uint16{key.Day + 1, key.Day - 1} {
		other := snapshotKey{key.Scope, day}
		next, ok := tx.snapshot(other)
		if !ok || slices.Contains(tx.rest.Ended, other) || next.Start > sn.Last+tx.t.opts.QuietPeriod.Milliseconds() {
			continue
		}
		next.Start = min(next.Start, sn.Start)
		next.Limit = max(next.Limit, sn.Limit)
		tx.setSnapshot(other, next)
		return true
	}
	return false
}

package detect

import (
	"slices"
	"time"
)

// openSuffix ends the key of a correlation's window that slides: there is one, beside those that have fired.
const openSuffix = "\x00open"

// correlate counts a record for a correlation. value is the hash of what is counted, 0 to count records.
func (t *windowTransaction) correlate(key string, span time.Duration, count int, at int64, id string, value uint64) counted {
	if x := t.w.find(key, int64(span), at); x != nil {
		t.touch(x)
		x.last = max(x.last, at)
		x.count++
		return counted{window: x}
	}
	var x *window
	if open := t.w.byKey[key+openSuffix]; len(open) > 0 {
		x = open[0]
		t.touch(x)
	} else {
		x = t.add(key+openSuffix, int64(span), at)
	}
	if !t.enter(x, entry{At: at, ID: hash(id), Value: value}) {
		t.w.counts.Duplicate++
		return counted{window: x}
	}
	if len(x.samples) < maxSamples && id != "" {
		x.samples = append(x.samples, cut(id))
	} else if id != "" { // the latest say more than those that slid out
		copy(x.samples, x.samples[1:])
		x.samples[maxSamples-1] = cut(id)
	}
	if from, n, ok := x.enough(at, count); ok {
		t.w.move(x, key, from)
		x.last, x.count = max(x.last, at), n
		x.fired, x.entries = true, nil
		return counted{window: x, fired: true}
	}
	return counted{window: x}
}

// enter puts an entry in its place and drops those that have slid out. It reports whether the entry is new.
func (t *windowTransaction) enter(x *window, e entry) bool {
	for i := range x.entries {
		old := &x.entries[i]
		if e.ID != 0 && old.ID == e.ID {
			return false
		}
		if e.Value != 0 && old.Value == e.Value { // of each value only the latest is held
			if old.At >= e.At {
				return true
			}
			x.entries = slices.Delete(x.entries, i, i+1)
			break
		}
	}
	if len(x.entries) > 0 && e.At < x.entries[len(x.entries)-1].At {
		t.w.counts.Late++
	}
	i, _ := slices.BinarySearchFunc(x.entries, e.At, func(a entry, at int64) int {
		if a.At <= at {
			return -1
		}
		return 1
	})
	x.entries = slices.Insert(x.entries, i, e)
	newest := x.entries[len(x.entries)-1].At
	drop := 0
	for drop < len(x.entries)-1 && newest-x.entries[drop].At >= 2*x.period { // late records may still need them
		drop++
	}
	x.entries = slices.Delete(x.entries, 0, drop)
	x.last = newest
	t.w.move(x, x.key, x.entries[0].At)
	return true
}

// enough looks for a span of the period with count entries that the entry at the time is in.
func (x *window) enough(at int64, count int) (from int64, n int, ok bool) {
	end := 0
	for i := range x.entries {
		first := x.entries[i].At
		if first > at {
			break
		}
		for end < len(x.entries) && x.entries[end].At-first < x.period {
			end++
		}
		if at-first < x.period && end-i >= count {
			return first, end - i, true
		}
	}
	return 0, 0, false
}

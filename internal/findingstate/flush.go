package findingstate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
)

const (
	// maxLogBatches bounds a log of many small batches, so that a start need not read many more keys than these.
	maxLogBatches = 4096
	// minLogBytes is how long the log may always be.
	minLogBytes = 8 << 20
)

// maxLogBytes is how long the log may be: about an eighth of the pages. A longer one costs room on disk, a shorter one
// rewrites the pages more often.
func (t *Tracker) maxLogBytes() int64 {
	const entryBytes = 144
	return max(minLogBytes, int64(t.meta.Entries)*entryBytes/8)
}

// slicesOfPages is in how many parts the pages are written, so that no batch waits for all of them.
const slicesOfPages = 8

// cycle is a round of writing all pages, slice by slice. What was dirty at its begin is on the pages at its end.
type cycle struct {
	slice    uint32 // the next one; 0 when no cycle is under way
	log      uint64 // the log's next record at the begin
	logBytes int64  // of the log before that
	rest     []Op   // what else there was to write at the begin
	scopes   int    // so many of them are in rest
}

// room makes room in the cache for n entries that a batch changes. added of them are not in the cache yet.
func (t *Tracker) room(ctx context.Context, n, added int) error {
	due := t.next-t.meta.Log > t.opts.MaxLogBatches || t.logBytes > t.maxLogBytes()
	for range slicesOfPages {
		if !due && t.cache.dirty+n <= t.opts.CacheFindings/4*3 { // the rest is for those that are clean, which may be evicted
			break
		}
		if err := t.flushSlice(ctx); err != nil {
			return fmt.Errorf("write the state: %w", err)
		}
		due = false
	}
	if t.cache.len()+added > t.opts.CacheFindings {
		t.cache.evict(max(0, t.opts.CacheFindings-added))
	}
	return nil
}

// flush writes all dirty entries to the pages and deletes the log. It may be called again after an error.
func (t *Tracker) flush(ctx context.Context) error {
	if t.next == t.meta.Log {
		return nil
	}
	t.cycle = cycle{} // all of it begins anew
	for range slicesOfPages {
		if err := t.flushSlice(ctx); err != nil {
			return fmt.Errorf("write the state: %w", err)
		}
	}
	return nil
}

// flushSlice writes the dirty entries of the next slice of the pages. After the last slice it deletes the log records from before
// the cycle.
func (t *Tracker) flushSlice(ctx context.Context) error {
	if t.cycle.slice == 0 {
		if err := t.beginCycle(ctx); err != nil {
			return err
		}
	}
	pages := uint64(t.meta.Pages)
	from := uint32(pages * uint64(t.cycle.slice) / slicesOfPages)
	to := uint32(pages * uint64(t.cycle.slice+1) / slicesOfPages)
	dirty := t.cache.dirtyOf(make([]placed, 0, t.cache.dirty/slicesOfPages+t.cache.dirty/64), t.meta.Pages, from, to)
	slices.SortFunc(dirty, func(a, b placed) int {
		if o := cmp.Compare(a.order(), b.order()); o != 0 {
			return o
		}
		return bytes.Compare(a.id[:], b.id[:])
	})
	for len(dirty) > 0 {
		n, err := t.flushSome(ctx, dirty)
		if err != nil {
			return err
		}
		dirty = dirty[n:]
	}
	if t.cycle.slice+1 < slicesOfPages {
		t.cycle.slice++
		return nil
	}
	return t.endCycle(ctx)
}

func (t *Tracker) beginCycle(ctx context.Context) error {
	root := []Op{{Kind: Get, Key: keyMeta}}
	if err := t.store.Batch(ctx, root); err != nil {
		return err
	}
	if err := t.checkOwner(root[0].Value); err != nil {
		return err
	}
	if err := t.split(ctx); err != nil {
		return err
	}
	rest, err := t.scopes.dirtyKeys()
	if err != nil {
		return err
	}
	list, err := json.Marshal(t.names.list()[:t.savedName])
	if err != nil {
		return err
	}
	still, err := json.Marshal(&t.open)
	if err != nil {
		return err
	}
	rest = append(rest, Op{Kind: Set, Key: keyNames, Value: list}, Op{Kind: Set, Key: keyOpen, Value: still})
	t.cycle = cycle{log: t.next, logBytes: t.logBytes, rest: rest, scopes: t.scopes.saved}
	return nil
}

// endCycle deletes the log records from before the cycle, and in the same transaction writes what they held beside entries. A start
// applies the log records that stay: entries may be on the pages already, but everything else must be stored as it was when the
// cycle began.
func (t *Tracker) endCycle(ctx context.Context) error {
	root := t.meta
	root.Log = t.cycle.log
	ops := append(t.cycle.rest, Op{Kind: Set, Key: keyMeta, Value: root.encode()})
	for n := t.meta.Log; n < root.Log; n++ {
		ops = append(ops, Op{Kind: Delete, Key: logKey(n)})
	}
	if err := t.store.Batch(ctx, ops); err != nil {
		return err
	}
	t.meta = root
	t.scopes.paged = t.cycle.scopes
	t.logBytes -= t.cycle.logBytes
	t.cycle = cycle{}
	return nil
}

// placed is a dirty slot with the page that it belongs to.
type placed struct {
	*slot
	page, hash uint32
}

// order sorts by page, and on a page by hash, as its entries are sorted.
func (p *placed) order() uint64 { return uint64(p.page)<<32 | uint64(p.hash) }

// flushSome writes the pages of the first of the dirty slots, in order of their pages, and returns how many those were.
func (t *Tracker) flushSome(ctx context.Context, dirty []placed) (n int, err error) {
	var gets []Op
	last := uint32(0)
	for ; n < len(dirty); n++ {
		page := dirty[n].page
		if n > 0 && page == last {
			continue
		}
		if len(gets) == pagesAtOnce {
			break
		}
		gets = append(gets, Op{Kind: Get, Key: pageKey(page)})
		last = page
	}
	if err := t.store.Batch(ctx, gets); err != nil {
		return 0, err
	}
	root := t.meta
	sets := make([]Op, 0, len(gets)+1)
	for i, page := 0, 0; i < n; page++ {
		j := i + 1
		for j < n && dirty[j].page == dirty[i].page {
			j++
		}
		value, more := t.merge(t.entriesOf(gets[page].Value), dirty[i:j])
		root.Entries = uint64(int64(root.Entries) + int64(more))
		sets = append(sets, Op{Kind: Set, Key: gets[page].Key, Value: value})
		i = j
	}
	sets = append(sets, Op{Kind: Set, Key: keyMeta, Value: root.encode()})
	if err := t.store.Batch(ctx, sets); err != nil {
		return 0, err
	}
	t.meta = root
	for _, s := range dirty[:n] {
		delete(t.fresh, s.id)
		t.cache.setClean(s.slot)
		if s.is(isGone) {
			t.cache.remove(s.id)
		}
	}
	return n, nil
}

// stored is an entry as a page holds it.
type stored struct {
	one  []byte
	hash uint32
}

// sorted lists the entries of a page in the order of their hashes. So they lie on pages that merge wrote.
func (t *Tracker) sorted(dst []stored, entries []byte) []stored {
	inOrder := true
	t.eachEntry(entries, func(one []byte) {
		e := stored{one, binary.LittleEndian.Uint32(one)}
		if n := len(dst); n > 0 && compare(&dst[n-1], e.hash, one) > 0 {
			inOrder = false
		}
		dst = append(dst, e)
	})
	if !inOrder {
		slices.SortFunc(dst, func(a, b stored) int { return compare(&a, b.hash, b.one) })
	}
	return dst
}

// compare compares a stored entry with another by the hash and the id, which the other begins with.
func compare(a *stored, hash uint32, other []byte) int {
	if a.hash != hash {
		return cmp.Compare(a.hash, hash)
	}
	return bytes.Compare(a.one[:len(id{})], other[:len(id{})])
}

// merge writes a page anew with the changed entries, which are sorted as placed.order says, and returns by how many it has grown.
func (t *Tracker) merge(entries []byte, changed []placed) (page []byte, more int) {
	var buf [2 * entriesPerPage]stored
	old := t.sorted(buf[:0], entries)
	added := 0
	if len(t.fresh) > 0 {
		for _, s := range changed {
			if _, ok := t.fresh[s.id]; ok {
				added++
			}
		}
	}
	const slack = 256 // entries may have got some more fields
	page = make([]byte, pageHeader, pageHeader+len(entries)+added*192+slack)
	for len(old) > 0 || len(changed) > 0 {
		order := -1 // of the next old one and the next changed one
		switch {
		case len(old) == 0:
			order = 1
		case len(changed) > 0:
			order = compare(&old[0], changed[0].hash, changed[0].id[:])
		}
		if order < 0 {
			page = appendRaw(page, old[0].one)
			old = old[1:]
			continue
		}
		s := changed[0]
		changed = changed[1:]
		var alertID []byte
		if order == 0 {
			alertID = alertIDOf(old[0].one)
			old = old[1:]
			more--
		} else if !s.is(isGone) {
			alertID = []byte(t.fresh[s.id])
		}
		if !s.is(isGone) {
			page = appendEntry(page, &s.entry, alertID)
			more++
		}
	}
	return sealPage(page), more
}

// split makes as many pages as all entries need.
func (t *Tracker) split(ctx context.Context) error {
	target := uint32(min((t.meta.Entries+uint64(len(t.fresh)))/entriesPerPage+1, 1<<31))
	if t.meta.Entries == 0 {
		t.meta.Pages = max(t.meta.Pages, target) // there is nothing to move
		return nil
	}
	for t.meta.Pages < target {
		if err := t.splitSome(ctx, target); err != nil {
			return err
		}
	}
	return nil
}

// splitSome splits the next pages, up to target or the next power of two.
func (t *Tracker) splitSome(ctx context.Context, target uint32) error {
	level := uint32(1) << (bits.Len32(t.meta.Pages) - 1)
	n := min(target, 2*level, t.meta.Pages+pagesAtOnce/2) - t.meta.Pages
	gets := make([]Op, n)
	for i := range gets {
		gets[i] = Op{Kind: Get, Key: pageKey(t.meta.Pages + uint32(i) - level)}
	}
	if err := t.store.Batch(ctx, gets); err != nil {
		return err
	}
	root := t.meta
	root.Pages += n
	var sets []Op
	for i := range gets {
		entries := t.entriesOf(gets[i].Value)
		if len(entries) == 0 {
			continue
		}
		stays := make([]byte, pageHeader, len(entries)+pageHeader)
		goes := make([]byte, pageHeader, len(entries)/2+pageHeader)
		t.eachEntry(entries, func(one []byte) {
			if i := idOf(one); i.hash()&level == 0 {
				stays = appendRaw(stays, one)
			} else {
				goes = appendRaw(goes, one)
			}
		})
		sets = append(sets, Op{Kind: Set, Key: gets[i].Key, Value: sealPage(stays)},
			Op{Kind: Set, Key: pageKey(t.meta.Pages + uint32(i)), Value: sealPage(goes)})
	}
	sets = append(sets, Op{Kind: Set, Key: keyMeta, Value: root.encode()})
	if err := t.store.Batch(ctx, sets); err != nil {
		return err
	}
	t.meta = root
	return nil
}

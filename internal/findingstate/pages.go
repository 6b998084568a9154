package findingstate

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"math/bits"
	"slices"
)

const (
	// entriesPerPage is how many entries a page has on average. Its 4 to 13 KiB are read whole for one entry, which speaks for
	// less; a B+ tree's own pages are filled better by longer values, which speaks for more.
	entriesPerPage = 48
	// pagesAtOnce bounds what one batch of the storage reads or writes, about 2 MiB.
	pagesAtOnce = 256
)

// pageOf is the page of a hash among so many: linear hashing, where page n splits into n and n plus the power of two below.
func pageOf(hash, pages uint32) uint32 {
	level := uint32(1) << (bits.Len32(pages) - 1)
	if page := hash & (2*level - 1); page < pages {
		return page
	}
	return hash & (level - 1)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const pageHeader = 4 // checksum

// sealPage fills in the header, for which the first bytes are reserved.
func sealPage(page []byte) []byte {
	sum := crc32.Checksum(page[pageHeader:], castagnoli)
	page[0], page[1], page[2], page[3] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	return page
}

// entriesOf checks a page and returns its entries. A page that is damaged is given up: its findings will be new again.
func (t *Tracker) entriesOf(page []byte) []byte {
	if len(page) <= pageHeader {
		return nil
	}
	sum := uint32(page[0]) | uint32(page[1])<<8 | uint32(page[2])<<16 | uint32(page[3])<<24
	if crc32.Checksum(page[pageHeader:], castagnoli) != sum {
		t.Damaged++
		return nil
	}
	return page[pageHeader:]
}

// eachEntry calls f for every encoded entry.
func (t *Tracker) eachEntry(entries []byte, f func(one []byte)) {
	for len(entries) > 0 {
		one, rest, err := nextEntry(entries)
		if err != nil {
			t.Damaged++
			return
		}
		f(one)
		entries = rest
	}
}

// find returns the encoded entry of an id, nil when it is not there.
func (t *Tracker) find(entries []byte, i id) []byte {
	for len(entries) > 0 {
		one, rest, err := nextEntry(entries)
		if err != nil {
			t.Damaged++
			return nil
		}
		if bytes.Equal(one[:len(i)], i[:]) {
			return one
		}
		entries = rest
	}
	return nil
}

// load brings entries to the cache. Those that are on no page are left out. The cache must have room.
func (t *Tracker) load(ctx context.Context, wanted []id) error {
	if t.meta.Entries == 0 {
		return nil
	}
	type want struct {
		page uint32
		id   id
	}
	var missing []want
	for _, i := range wanted {
		if _, s := t.cache.find(i); s == nil {
			missing = append(missing, want{pageOf(i.hash(), t.meta.Pages), i})
		}
	}
	slices.SortFunc(missing, func(a, b want) int { return int(int64(a.page) - int64(b.page)) })
	for len(missing) > 0 {
		var ops []Op
		n := 0
		for ; n < len(missing); n++ {
			if n > 0 && missing[n].page == missing[n-1].page {
				continue
			}
			if len(ops) == pagesAtOnce {
				break
			}
			ops = append(ops, Op{Kind: Get, Key: pageKey(missing[n].page)})
		}
		if err := t.store.Batch(ctx, ops); err != nil {
			return fmt.Errorf("read the state: %w", err)
		}
		page, entries := -1, []byte(nil)
		for i := range missing[:n] {
			if i == 0 || missing[i].page != missing[i-1].page {
				page++
				entries = t.entriesOf(ops[page].Value)
			}
			if one := t.find(entries, missing[i].id); one != nil && t.cache.get(missing[i].id) == nil {
				var e entry
				readEntry(one, &e)
				t.cache.add(&e)
			}
		}
		missing = missing[n:]
	}
	return nil
}

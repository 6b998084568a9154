package findingstate

import (
	"encoding/binary"
	"math/bits"
)

// slabSlots is how many slots are allocated at once. Slots never move: a batch holds pointers to them.
const slabSlots = 1024

// slot is a cached entry. What a finding that comes again unchanged needs of it lies together.
type slot struct {
	batch uint32 // the last batch that changed it
	undo  uint32 // and which of its changes that was
	no    uint32 // its number
	used  bool
	dirty bool // the pages do not hold it as it is
	ref   bool // used since the hand last came by
	entry
}

// slab holds slots, and beside them what a flush needs to find the dirty ones of some pages without touching all.
type slab struct {
	slots  [slabSlots]slot
	hashes [slabSlots]uint32 // of the dirty ones
	dirty  [slabSlots / 64]uint64
}

// cache holds the entries that were used last, and all that are dirty. Entries are evicted by a clock: the hand passes over
// what was used since it last came by.
type cache struct {
	index index
	slabs []*slab
	free  []uint32
	hand  uint32
	dirty int

	removed int // so far
}

func newCache() *cache { return &cache{index: newIndex(minIndexBits)} }

func (c *cache) len() int            { return c.index.n }
func (c *cache) slot(n uint32) *slot { return &c.slabs[n/slabSlots].slots[n%slabSlots] }

// get returns the slot of an entry, nil when it is not cached.
func (c *cache) get(i id) *slot {
	_, s := c.find(i)
	if s != nil {
		s.ref = true
	}
	return s
}

// getAt is get when the first place to look at is already known.
func (c *cache) getAt(i id, first place) *slot {
	if first != 0 && first.tag() == tagOf(i) { // mostly
		if s := c.slot(first.slot()); s.id == i {
			s.ref = true
			return s
		}
	}
	return c.get(i)
}

// find returns an entry's slot, and its place in the index; nil when it is not cached.
func (c *cache) find(i id) (at uint32, s *slot) {
	for at = c.index.home(i); ; at = c.index.after(at) {
		p := c.index.places[at]
		if p == 0 {
			return at, nil
		}
		if p.tag() == tagOf(i) {
			if s := c.slot(p.slot()); s.id == i {
				return at, s
			}
		}
	}
}

// add makes a slot for an entry that is not cached.
func (c *cache) add(e *entry) *slot {
	if len(c.free) == 0 {
		from := uint32(len(c.slabs) * slabSlots)
		c.slabs = append(c.slabs, new(slab))
		for n := from + slabSlots; n > from; n-- {
			c.free = append(c.free, n-1)
		}
	}
	n := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	c.index.add(e.id, n)
	s := c.slot(n)
	*s = slot{entry: *e, no: n, used: true, ref: true}
	return s
}

func (c *cache) remove(i id) {
	at, s := c.find(i)
	if s == nil {
		return
	}
	c.index.remove(at)
	c.setClean(s)
	c.free = append(c.free, s.no)
	*s = slot{}
	c.removed++
}

func (c *cache) setDirty(s *slot) {
	if s.dirty {
		return
	}
	s.dirty = true
	c.dirty++
	slab, n := c.slabs[s.no/slabSlots], s.no%slabSlots
	slab.hashes[n] = s.id.hash()
	slab.dirty[n/64] |= 1 << (n % 64)
}

func (c *cache) setClean(s *slot) {
	if !s.dirty {
		return
	}
	s.dirty = false
	c.dirty--
	c.slabs[s.no/slabSlots].dirty[s.no%slabSlots/64] &^= 1 << (s.no % 64)
}

// evict removes clean entries until at most want are left, or none is clean.
func (c *cache) evict(want int) {
	size := uint32(len(c.slabs) * slabSlots)
	for steps := 2 * size; c.len() > want && steps > 0; steps-- { // the first lap may only clear ref
		s := c.slot(c.hand)
		c.hand = (c.hand + 1) % size
		switch {
		case !s.used || s.dirty:
		case s.ref:
			s.ref = false
		default:
			c.remove(s.id)
		}
	}
}

// dirtyOf appends the dirty slots of the pages from one up to another.
func (c *cache) dirtyOf(dst []placed, pages uint32, from, to uint32) []placed {
	for _, slab := range c.slabs {
		for w, word := range &slab.dirty {
			for ; word != 0; word &= word - 1 {
				n := w*64 + bits.TrailingZeros64(word)
				if page := pageOf(slab.hashes[n], pages); from <= page && page < to {
					dst = append(dst, placed{&slab.slots[n], page, slab.hashes[n]})
				}
			}
		}
	}
	return dst
}

// index finds slots by ids: a hash table with linear probing. Ids are keyed hashes, so that a part of them says where to begin,
// and nobody can choose ids that crowd one place. It costs 11 to 21 bytes an entry, and one miss of the processor's cache.
type index struct {
	places []place // a power of two of them
	shift  int
	n      int
}

// place is a slot's number plus one and, above it, the tag of its id. 0 is free.
type place uint64

func newPlace(i id, slot uint32) place { return place(tagOf(i))<<32 | place(slot+1) }
func (p place) tag() uint32            { return uint32(p >> 32) }
func (p place) slot() uint32           { return uint32(p) - 1 }

// tagOf is a part of the id that pages are not chosen by: entries of one page must not crowd.
func tagOf(i id) uint32 { return binary.LittleEndian.Uint32(i[4:]) }

const minIndexBits = 12

func newIndex(n int) index { return index{places: make([]place, 1<<n), shift: 32 - n} }

func (x *index) home(i id) uint32       { return tagOf(i) >> x.shift }
func (x *index) after(at uint32) uint32 { return (at + 1) & uint32(len(x.places)-1) }
func (x *index) homeOf(p place) uint32  { return p.tag() >> x.shift }
func (x *index) first(i id) place       { return x.places[x.home(i)] }

// add adds an id that is not there.
func (x *index) add(i id, slot uint32) {
	if x.n+1 > len(x.places)/4*3 {
		x.grow()
	}
	x.put(newPlace(i, slot))
	x.n++
}

func (x *index) put(p place) {
	at := x.homeOf(p)
	for x.places[at] != 0 {
		at = x.after(at)
	}
	x.places[at] = p
}

func (x *index) grow() {
	larger := newIndex(33 - x.shift)
	larger.n = x.n
	for _, p := range x.places {
		if p != 0 {
			larger.put(p)
		}
	}
	*x = larger
}

// remove empties a place; those behind it that it would cut off move up.
func (x *index) remove(at uint32) {
	mask := uint32(len(x.places) - 1)
	for next := x.after(at); x.places[next] != 0; next = x.after(next) {
		if p := x.places[next]; (next-x.homeOf(p))&mask >= (next-at)&mask {
			x.places[at] = p
			at = next
		}
	}
	x.places[at] = 0
	x.n--
}

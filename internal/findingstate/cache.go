package findingstate

// slabSlots is how many slots are allocated at once. Slots never move: a batch holds pointers to them.
const slabSlots = 1024

// slot is a cached entry.
type slot struct {
	entry
	batch uint32 // the last batch that changed it
	undo  uint32 // and which of its changes that was
	used  bool
	dirty bool // the pages do not hold it as it is
	ref   bool // used since the hand last came by
}

// cache holds the entries that were used last, and all that are dirty. Entries are evicted by a clock: the hand passes over
// what was used since it last came by.
type cache struct {
	index map[id]uint32
	slabs []*[slabSlots]slot
	free  []uint32
	hand  uint32
	dirty int

	removed int // so far
}

func newCache() *cache { return &cache{index: map[id]uint32{}} }

func (c *cache) len() int            { return len(c.index) }
func (c *cache) slot(n uint32) *slot { return &c.slabs[n/slabSlots][n%slabSlots] }

// get returns the slot of an entry, nil when it is not cached.
func (c *cache) get(i id) *slot {
	n, ok := c.index[i]
	if !ok {
		return nil
	}
	s := c.slot(n)
	s.ref = true
	return s
}

// add makes a slot for an entry that is not cached.
func (c *cache) add(e *entry) *slot {
	if len(c.free) == 0 {
		from := uint32(len(c.slabs) * slabSlots)
		c.slabs = append(c.slabs, new([slabSlots]slot))
		for n := from + slabSlots; n > from; n-- {
			c.free = append(c.free, n-1)
		}
	}
	n := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	c.index[e.id] = n
	s := c.slot(n)
	*s = slot{entry: *e, used: true, ref: true}
	return s
}

func (c *cache) remove(i id) {
	n, ok := c.index[i]
	if !ok {
		return
	}
	s := c.slot(n)
	if s.dirty {
		c.dirty--
	}
	*s = slot{}
	delete(c.index, i)
	c.removed++
	c.free = append(c.free, n)
}

func (c *cache) setDirty(s *slot) {
	if !s.dirty {
		s.dirty = true
		c.dirty++
	}
}

// evict removes clean entries until at most want are left, or none is clean.
func (c *cache) evict(want int) {
	size := uint32(len(c.slabs) * slabSlots)
	for steps := 2 * size; len(c.index) > want && steps > 0; steps-- { // the first lap may only clear ref
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

// eachDirty calls f for every dirty slot.
func (c *cache) eachDirty(f func(*slot)) {
	for _, slab := range c.slabs {
		for i := range slab {
			if s := &slab[i]; s.dirty {
				f(s)
			}
		}
	}
}

package jsonscan

import "sync/atomic"

const (
	// maxPlaces is how many names of an object Names remembers, and maxName how long one is with its quotes and colon:
	// findings have twenty names of at most twenty bytes.
	maxPlaces = 32
	maxName   = 47
)

// Names remembers the names of the object that was read last. One source writes them in one order: to compare a name with the one
// that stood at the same place costs less than to read it, and less than to look it up. Names holds copies. The zero value
// remembers nothing; it is for one goroutine.
type Names struct {
	places  [maxPlaces]place
	count   int   // members of the object; -1 after one that could not be read
	shape   Shape // of it
	changed bool  // a name of the object that is being read is not the one at its place
}

// place is a name with its quotes and colon; size 0 is none that can be remembered.
type place struct {
	size uint8
	text [maxName]byte
}

// Shape stands for the names of an object in their order. Two objects with the same Shape have the same names in the same order,
// whichever Names read them; two objects with different Shapes may have, too. 0 means that nothing is known.
type Shape uint64

// shapes counts the ranges of 2^32 numbers that were given out: each is one giver's alone, so that no two give the same Shape.
var shapes atomic.Uint64

// Next returns a Shape that no object has yet. s is the one that the caller gave last, 0 the first time.
func (s Shape) Next() Shape {
	if uint32(s+1) == 0 || s == 0 { // the range is used up, after hours of objects that all differ
		s = Shape(shapes.Add(1) << 32)
	}
	return s + 1
}

// Members is the function Members, and also returns the object's shape: that of the object before when it has the same names. A nil
// Names remembers nothing and returns shape 0.
func (n *Names) Members(dst []Member, s string) (members []Member, compact bool, shape Shape, err error) {
	sc := scanner{s: s}
	if n == nil {
		members, compact, err = sc.read(dst, nil)
		return members, compact, 0, err
	}
	n.changed = n.shape == 0
	members, compact, err = sc.read(dst, n)
	return members, compact, n.shapeOf(len(members)-len(dst), err), err
}

// shapeOf is the shape of the object that was read, of so many members.
func (n *Names) shapeOf(count int, err error) Shape {
	switch {
	case err != nil:
		n.count = -1
		return 0
	case n.changed || count != n.count:
		n.count, n.shape = count, n.shape.Next()
	}
	return n.shape
}

// put remembers the name that stands at a place: text with its quotes and colon, "" for one that is not to be remembered.
func (n *Names) put(at int, text string) {
	n.changed = true
	if at >= maxPlaces {
		return
	}
	p := &n.places[at]
	p.size = 0
	if len(text) <= maxName {
		p.size = uint8(copy(p.text[:], text))
	}
}

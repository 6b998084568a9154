package jsonscan

import "sync/atomic"

const (
	// maxPlaces is how many names of an object Names remembers, and maxName how long one is with its quotes and colon:
	// findings have twenty names of at most twenty bytes.
	maxPlaces = 32
	maxName   = 47
)

// Names are the names of the object that was read last. One source writes them in one order, and to see that the same name
// stands at the same place costs less than to read it, and less than to look up what it stands for. Names holds copies. The
// zero value knows no object; it is for one goroutine.
type Names struct {
	places  [maxPlaces]place
	count   int    // members of the object; -1 after one that could not be read
	shape   uint64 // of it
	changed bool   // a name of the object that is being read is not the one at its place
}

// place is a name with its quotes and colon; size 0 is none that can be remembered.
type place struct {
	size uint8
	text [maxName]byte
}

// shapes counts the Names in use, so that no two of them give the same number.
var shapes atomic.Uint64

// Members is the function Members, and says which shape the object has: two objects with the same number, whoever read them,
// have the same names in the same order; 0 is not known. An object that repeats the names of the one before has its number.
// A nil Names knows nothing.
func (n *Names) Members(dst []Member, s string) (members []Member, compact bool, shape uint64, err error) {
	if n == nil {
		members, compact, err = readMembers(dst, s, nil)
		return members, compact, 0, err
	}
	n.changed = false
	members, compact, err = readMembers(dst, s, n)
	count := len(members) - len(dst)
	if err != nil {
		count = -1
	}
	if n.changed || count != n.count || err != nil {
		n.count = count
		if n.shape == 0 {
			n.shape = shapes.Add(1) << 32
		}
		n.shape++
	}
	return members, compact, n.shape, err
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

package msgpackjson

import "github.com/siempipe/siempipe/internal/jsonscan"

const (
	// maxPlaces is how many names of a map Names remembers: findings have twenty.
	maxPlaces = 32
	// maxName is how long one is: what MessagePack writes with a head of one byte.
	maxName = 31
)

// Names are the names of the map that was read last, as jsonscan.Names are those of an object: to see that the same name
// stands at the same place costs less than to read it. Names holds copies. The zero value knows no map; it is for one
// goroutine.
type Names struct {
	places  [maxPlaces]place
	count   int // pairs of the map
	shape   jsonscan.Shape
	changed bool // a name of the map that is being read is not the one at its place
	open    bool // that map is not ended
}

// place is a name: its token, and its JSON text with quotes and a colon. size 0 is none that can be remembered.
type place struct {
	size  uint8 // of the name itself
	token [1 + maxName]byte
	text  [maxName + len(`"":`)]byte
}

// Begin begins a map.
func (n *Names) Begin() {
	n.changed = n.shape == 0 || n.open // what was not ended may have left names behind
	n.open = true
}

// At returns the text, with quotes and a colon, of the name whose token stands at i of b, and the index after it, if that is
// the name that stood at place at in the map before. Otherwise end is 0, and Put says which one it is.
func (n *Names) At(b []byte, i, at int) (text []byte, end int) {
	if at < maxPlaces {
		p := &n.places[at]
		if size := int(p.size); size > 0 && i+1+size <= len(b) && string(b[i:i+1+size]) == string(p.token[:1+size]) {
			return p.text[:size+len(`"":`)], i + 1 + size
		}
	}
	return nil, 0
}

// Put remembers the name at place at: its token, and the text that was made of it, with quotes and a colon. usual says that
// the next map may have it without anybody looking.
func (n *Names) Put(at int, token, text []byte, usual bool) {
	n.changed = true
	if at >= maxPlaces {
		return
	}
	p := &n.places[at]
	p.size = 0
	size := len(token) - 1
	if usual && size > 0 && size <= maxName && token[0] == 0xa0|byte(size) && len(text) == size+len(`"":`) { // nothing escaped
		p.size = uint8(size)
		copy(p.token[:], token)
		copy(p.text[:], text)
	}
}

// End ends a map of count pairs and returns its shape.
func (n *Names) End(count int) jsonscan.Shape {
	n.open = false
	if n.changed || count != n.count {
		n.count, n.shape = count, n.shape.Next()
	}
	return n.shape
}

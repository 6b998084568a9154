package payload

import (
	"io"
	"strings"
	"sync"
)

const (
	// chunkBytes is how much is read at once, and how much of a payload is in memory but for a longer record.
	chunkBytes = 64 << 10
	// sharedBytes is how much is in memory instead when records are short. Short records are parts of it, since copying each would
	// cost more than cutting it out; each that is kept keeps so much alive.
	sharedBytes = 16 << 10
	// shortBytes is the longest of those records: what the end of a window cuts in two is looked through twice.
	shortBytes = sharedBytes / 8
)

// chunks are what is read into at once, one for each payload that is being cut.
var chunks = sync.Pool{New: func() any { return new([chunkBytes]byte) }}

// window is the part of the payload that is in memory: s[pos:] has been read and not yet cut.
type window struct {
	r      io.Reader
	s      string
	pos    int
	base   int64 // bytes of the payload before s
	chunk  *[chunkBytes]byte
	unread []byte // of the chunk: behind s
	last   int    // length of the record that was cut last
	err    error  // of r, once it has failed or ended
}

// rest is what has been read and not yet cut.
func (w *window) rest() string { return w.s[w.pos:] }

// offset is where in the payload the byte at i of the rest stands.
func (w *window) offset(i int) int64 { return w.base + int64(w.pos+i) }

// more reads on; rest keeps its beginning. A record that fills half of the window makes it twice as long each time: it is
// copied and looked through a bounded number of times even when its bytes come singly. It returns errEnd at the end and the
// reader's error when that fails, both after what came before.
func (w *window) more() error {
	rest := w.rest()
	if !w.fill() {
		return w.err
	}
	size := sharedBytes
	if w.last > shortBytes {
		size = chunkBytes
	}
	size = max(size-len(rest), len(rest))
	if w.err != nil { // nothing comes behind the chunk
		size = min(size, len(w.unread))
	}
	var s strings.Builder
	s.Grow(len(rest) + size)
	s.WriteString(rest)
	for size > 0 && w.fill() {
		n := min(size, len(w.unread))
		s.Write(w.unread[:n])
		w.unread = w.unread[n:]
		size -= n
	}
	w.base += int64(w.pos)
	w.s, w.pos = s.String(), 0
	return nil
}

// maxEmptyReads is how often in a row a reader may bring nothing without an error, as for bufio.
const maxEmptyReads = 100

// fill reads the next chunk when all of the last one is in the window; false when there is none.
func (w *window) fill() bool {
	n := 0
	for empty := 0; len(w.unread) == 0 && n < chunkBytes && w.err == nil; {
		m, err := w.r.Read(w.chunk[n:])
		n += m
		if empty++; m > 0 {
			empty = 0
		}
		switch {
		case err == io.EOF:
			w.err = errEnd
		case err != nil:
			w.err = err
		case empty == maxEmptyReads:
			w.err = io.ErrNoProgress
		}
	}
	if n > 0 {
		w.unread = w.chunk[:n]
	}
	return len(w.unread) > 0
}

// peek returns the offset in rest of the first byte at or after from that is no blank, len(rest) at the end.
func (w *window) peek(from int) (int, error) {
	for {
		for ; from < len(w.rest()); from++ {
			switch w.rest()[from] {
			case ' ', '\t', '\r', '\n':
			default:
				return from, nil
			}
		}
		if err := w.more(); err == errEnd {
			return from, nil
		} else if err != nil {
			return 0, err
		}
	}
}

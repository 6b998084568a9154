package payload

import (
	"io"
	"strings"
)

// window is the part of the payload that is in memory: s[pos:] has been read and not yet cut.
type window struct {
	r     io.Reader
	s     string
	pos   int
	base  int64 // bytes of the payload before s
	chunk []byte
	err   error // of r, once it has failed or ended
}

// rest is what has been read and not yet cut.
func (w *window) rest() string { return w.s[w.pos:] }

// offset is where in the payload the byte at i of the rest stands.
func (w *window) offset(i int) int64 { return w.base + int64(w.pos+i) }

// more reads on; rest keeps its beginning. It reads as much as is waiting, and so twice as much each time: a long record is
// copied and looked through a bounded number of times even when its bytes come singly. It returns errEnd at the end and the
// reader's error when that fails, both after what came before.
func (w *window) more() error {
	rest := w.rest()
	n := w.fill(max(chunkBytes, len(rest)))
	if n == 0 {
		return w.err
	}
	var s strings.Builder
	s.Grow(len(rest) + n)
	s.WriteString(rest)
	s.Write(w.chunk[:n])
	w.base += int64(w.pos)
	w.s, w.pos = s.String(), 0
	return nil
}

// maxEmptyReads is how often in a row a reader may bring nothing without an error, as for bufio.
const maxEmptyReads = 100

// fill reads size bytes into the chunk, or fewer and keeps the error.
func (w *window) fill(size int) (n int) {
	if size > len(w.chunk) {
		w.chunk = make([]byte, size)
	}
	for empty := 0; n < size && w.err == nil; {
		m, err := w.r.Read(w.chunk[n:size])
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
	return n
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

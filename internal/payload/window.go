package payload

import (
	"errors"
	"io"
	"strings"
)

// window is the part of the payload that is in memory: s[pos:] has been read and not yet cut.
type window struct {
	r     io.Reader
	s     string
	pos   int
	chunk []byte
	err   error // of r, once it has failed or ended
}

// rest is what has been read and not yet cut.
func (w *window) rest() string { return w.s[w.pos:] }

// more reads on; rest keeps its beginning. What it reads grows with what is waiting, so that a long record is copied a
// bounded number of times. It returns errEnd at the end and the reader's error when that fails.
func (w *window) more() error {
	if w.err != nil {
		return w.err
	}
	rest := w.rest()
	if size := max(chunkBytes, len(rest)); size > len(w.chunk) {
		w.chunk = make([]byte, size)
	}
	n, err := io.ReadAtLeast(w.r, w.chunk, 1)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errEnd
		}
		w.err = err
		return err
	}
	var s strings.Builder
	s.Grow(len(rest) + n)
	s.WriteString(rest)
	s.Write(w.chunk[:n])
	w.s, w.pos = s.String(), 0
	return nil
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

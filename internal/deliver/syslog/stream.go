package syslog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"syscall"
	"time"
)

const (
	// chunkBytes is how much is framed and written at once: few system calls, and a buffer that stays small.
	chunkBytes = 64 << 10
	// sendBuffer bounds what is written and not acknowledged, which all comes twice when the connection has to be given up.
	// Over a path of 100 ms it still lets 2.5 MB/s through.
	sendBuffer = 256 << 10
)

// writeStream frames and writes msgs and waits until the peer's system has acknowledged them. repeats is how often each was
// lost before; nil is never. When half of the Writer's timeout has passed it begins no more: the other half is for the
// acknowledgments, so that a peer that is slow keeps its connection. Then fewer than all are sent without an error.
func (w *Writer) writeStream(ctx context.Context, c *connection, msgs [][]byte, repeats []uint8) (sent int, err error) {
	w.ends = w.ends[:0]
	written, framed, acked := 0, 0, 0
	deadline, _ := ctx.Deadline() // each Write has one
	for next := 0; next < len(msgs) && err == nil; {
		if next > 0 && time.Until(deadline) < w.cfg.Timeout/2 {
			msgs = msgs[:next]
			break
		}
		w.frames = w.frames[:0]
		for next < len(msgs) && len(w.frames) < chunkBytes {
			w.frames = AppendFrame(w.frames, msgs[next], w.cfg.Framing)
			w.ends = append(w.ends, framed+len(w.frames))
			next++
		}
		if err = c.alive(); err != nil {
			break
		}
		var n int
		n, err = c.Write(w.frames)
		written += n
		c.note(err)
		if err != nil && n > 0 && c.Conn == c.socket { // TLS cannot go on after a write that failed
			torn := w.ends[sort.SearchInts(w.ends, written)] - framed
			c.rest = append(c.rest[:0], w.frames[n:torn]...)
		}
		framed += len(w.frames)
		// Below TLS there is more in the queue than was written; the result is then too low, which is the safe side.
		if queued, ok := unacked(c.socket); ok {
			acked = max(acked, written-queued)
		} else if err == nil {
			acked = written
		}
	}
	if cap(w.frames) > 16*chunkBytes {
		w.frames = nil
	}
	if err == nil {
		err = c.drained(ctx, written, &acked)
	}
	if sent = len(msgs); err != nil {
		sent = sort.SearchInts(w.ends, acked+1)
		repeated := sort.SearchInts(w.ends, written+1) - sent
		if len(c.rest) > 0 {
			repeated++ // it will be completed
		}
		w.repeat(repeated)
	}
	now := time.Now()
	for i, msg := range msgs[:sent] {
		var before uint8
		if repeats != nil {
			before = repeats[i]
		}
		c.recent.add(msg, now, before)
	}
	return sent, err
}

// note remembers from the error of a write that the peer reset the connection: the system tells a reset only once, and the
// reader then finds the same end as after an orderly one. After an orderly one a write fails with EPIPE.
func (c *connection) note(err error) {
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, syscall.EPIPE) {
		c.broken.Store(true)
	}
}

// drained waits until all that was written is acknowledged.
func (c *connection) drained(ctx context.Context, written int, acked *int) error {
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		queued, ok := unacked(c.socket)
		if !ok || queued == 0 {
			*acked = written
			return nil
		}
		*acked = max(*acked, written-queued)
		if err := c.wait(ctx, pause); err != nil {
			return err
		}
	}
}

// writeDatagrams writes each message as one datagram.
func writeDatagrams(c *connection, msgs [][]byte) (sent int, err error) {
	for i, msg := range msgs {
		_, err := c.Write(msg)
		switch {
		case errors.Is(err, syscall.EMSGSIZE):
			return i, fmt.Errorf("%w (%d bytes)", ErrTooLong, len(msg))
		case err != nil:
			return i, err
		}
	}
	return len(msgs), nil
}

package syslog

import (
	"context"
	"time"
)

// A connection that has ended, or is given up, settles: what was begun on it is completed, our side of it is closed, and the
// peer's end is awaited. An orderly end says that the peer has read everything: a system that has to throw unread bytes away
// resets the connection instead (RFC 2525, 2.17). After a reset, or when no end comes in time, the messages that the peer's
// system acknowledged last go out again.

// settleWait bounds how long a connection settles. Until then nothing is sent again, since a peer that is slow will read it.
const settleWait = 30 * time.Second

// maxRepeats is how often a message goes out again because a peer reset its connection. A message that kills its reader must
// not do so for ever.
const maxRepeats = 5

// lose gives the connection up. w.mu is held.
func (w *Writer) lose() {
	c := w.conn
	w.conn = nil
	if !c.stream {
		c.drop()
		return
	}
	since := time.Now()
	w.settling[c] = since
	w.tasks.Go(func() {
		end := c.settle(w.closed)
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.settling, c)
		switch {
		case end == allRead:
		case w.closed.Err() != nil:
			w.left += len(w.unsure(c, since).msgs)
		default:
			w.later(w.unsure(c, since), end == reset)
		}
		select {
		case w.settled <- struct{}{}:
		default:
		}
	})
}

// unsure returns the messages that a connection, lost at a time, has taken and its peer may not have read.
func (w *Writer) unsure(c *connection, lost time.Time) pending {
	return c.recent.since(lost.Add(-recentAge - w.cfg.Timeout)) // a Write may have been waiting for so long
}

// watch gives the connection up when its peer ends it while nothing is written.
func (w *Writer) watch(c *connection) {
	<-c.dead
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == c {
		w.lose()
	}
}

// later makes messages pending, and sends them when no Write comes to do it. w.mu is held.
func (w *Writer) later(lost pending, wasReset bool) {
	n := 0
	for i, msg := range lost.msgs {
		repeats := lost.repeats[i]
		if wasReset {
			repeats++
		}
		if repeats <= maxRepeats {
			w.pending.msgs, w.pending.repeats = append(w.pending.msgs, msg), append(w.pending.repeats, repeats)
			n++
		}
	}
	w.repeat(n)
	if given := len(lost.msgs) - n; given > 0 && w.cfg.OnUnconfirmed != nil {
		w.cfg.OnUnconfirmed(given)
	}
	if n == 0 || w.repeating {
		return
	}
	w.repeating = true
	w.tasks.Go(func() {
		for w.repeatPending() {
		}
	})
}

// repeatPending tries to send what is pending and reports whether there is still some.
func (w *Writer) repeatPending() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending.msgs) > 0 && w.closed.Err() == nil {
		ctx, cancel := w.bound(context.Background())
		defer cancel()
		_, _ = w.write(ctx, nil, w.conn != nil) // the next attempt waits for backoff
	}
	w.repeating = len(w.pending.msgs) > 0 && w.closed.Err() == nil
	return w.repeating
}

// repeat counts messages that are sent again although the peer may have them.
func (w *Writer) repeat(n int) {
	if n > 0 && w.cfg.OnRepeat != nil {
		w.cfg.OnRepeat(n)
	}
}

// end is how a connection ended.
type end uint8

const (
	unknown end = iota // in time
	reset
	allRead
)

// settle ends the connection and says whether the peer has read all that was sent over it.
func (c *connection) settle(closed context.Context) end {
	defer c.drop()
	_ = c.SetWriteDeadline(time.Now().Add(settleWait))
	stop := context.AfterFunc(closed, c.drop) // a write that hangs must not outlive the Writer
	defer stop()
	if c.alive() == nil {
		if len(c.rest) > 0 {
			_, err := c.socket.Write(c.rest)
			c.note(err)
		}
		c.closeWrite()
	}
	t := time.NewTimer(settleWait)
	defer t.Stop()
	select {
	case <-c.ended:
		if c.orderly && !c.broken.Load() {
			return allRead
		}
		return reset
	case <-t.C:
	case <-closed.Done():
	}
	return unknown
}

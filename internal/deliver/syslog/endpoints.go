package syslog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// failbackDial bounds how long a Write may be held up by an endpoint that is tried again while another works.
const failbackDial = time.Second

// connect returns the kept connection, or makes one when the time has come.
func (w *Writer) connect(ctx context.Context) (*connection, error) {
	if w.conn != nil {
		w.tryBefore(ctx)
		return w.conn, nil
	}
	if wait := time.Until(w.backoff.until); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting to connect again: %w", context.Cause(ctx))
		}
	}
	var errs []error
	n := len(w.cfg.Endpoints)
	for i := range n {
		c, err := w.dialShare(ctx, (w.first+i)%n, n-i)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		w.use(c)
		return c, nil
	}
	w.backoff.failed(time.Now())
	w.first = 0
	return nil, errors.Join(errs...)
}

// tryBefore replaces a connection that came about by failover as soon as an endpoint before its own is back.
func (w *Writer) tryBefore(ctx context.Context) {
	if w.conn.index == 0 || w.cfg.Failback == 0 || time.Now().Before(w.failback) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, min(failbackDial, w.cfg.Timeout/4))
	defer cancel()
	for index := range w.conn.index {
		if c, err := w.dialShare(ctx, index, w.conn.index-index); err == nil {
			w.lose()
			w.use(c)
			return
		}
	}
	w.failback = time.Now().Add(w.cfg.Failback)
}

// use makes c the kept connection.
func (w *Writer) use(c *connection) {
	again := w.connected
	w.conn, w.connected = c, true
	w.failback = time.Now().Add(w.cfg.Failback)
	if w.cfg.OnConnect != nil {
		w.cfg.OnConnect(c.endpoint, again)
	}
	if c.stream {
		w.tasks.Go(func() { w.watch(c) })
	}
}

// dialShare leaves the endpoints after this one their share of the time.
func (w *Writer) dialShare(ctx context.Context, index, left int) (*connection, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	c, err := w.dial(ctx, w.cfg.Endpoints[index])
	if err != nil {
		return nil, err
	}
	c.index = index
	return c, nil
}

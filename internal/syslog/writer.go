package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sort"
	"sync"
	"syscall"
	"time"
)

// Networks of a Writer.
const (
	TCP  = "tcp"
	UDP  = "udp"
	Unix = "unix" // a stream socket, or a datagram socket such as /dev/log
)

// MaxDatagram is the longest message that fits a UDP datagram over IPv4: 65535 less the headers of IP and UDP.
const MaxDatagram = 65507

// ErrTooLong is returned for a message that is longer than the network's datagrams. It will never be sent as it is.
var ErrTooLong = errors.New("message is longer than a datagram")

// ErrClosed is returned by a Writer that was closed.
var ErrClosed = errors.New("syslog writer is closed")

// DefaultTimeout bounds one Write where WriterConfig does not.
const DefaultTimeout = 5 * time.Second

// WriterConfig says where messages go.
type WriterConfig struct {
	Network string // TCP, UDP or Unix
	// Endpoints are host:port ([::1]:514 for IPv6), or paths for Unix. They are tried in order each time a connection is
	// made.
	Endpoints []string
	// TLS returns the configuration for the next connection; nil is plain text. TLS 1.2 is the least whatever it says, and
	// an empty ServerName is the endpoint's host.
	TLS     func(context.Context) (*tls.Config, error)
	Framing string // OctetCounting or Newline; datagrams have none
	// Timeout bounds one Write, connecting included; 0 is DefaultTimeout.
	Timeout time.Duration
	// OnConnect is called after each connection that was made; again is false for the first of the Writer. May be nil.
	OnConnect func(endpoint string, again bool)
}

// Validate reports everything that is wrong with c; the messages name network, endpoint, framing and timeout.
func (c *WriterConfig) Validate() error {
	var errs []error
	switch c.Network {
	case TCP, UDP, Unix:
	default:
		errs = append(errs, fmt.Errorf("network: %q is none of tcp, udp, unix", c.Network))
	}
	if len(c.Endpoints) == 0 {
		errs = append(errs, errors.New("endpoint: must not be empty"))
	}
	for _, e := range c.Endpoints {
		if err := checkEndpoint(c.Network, e); err != nil {
			errs = append(errs, fmt.Errorf("endpoint: %w", err))
		}
	}
	switch c.Framing {
	case OctetCounting, Newline:
	default:
		errs = append(errs, fmt.Errorf("framing: %q is none of octet_counting, newline", c.Framing))
	}
	if c.Timeout < 0 {
		errs = append(errs, errors.New("timeout: must not be negative"))
	}
	return errors.Join(errs...)
}

func checkEndpoint(network, endpoint string) error {
	if endpoint == "" {
		return errors.New("must not be empty")
	}
	if network == Unix {
		return nil
	}
	host, port, err := net.SplitHostPort(endpoint)
	if err != nil {
		return fmt.Errorf("%w (host:port, and [address]:port for IPv6)", err)
	}
	if host == "" {
		return fmt.Errorf("%q has no host", endpoint)
	}
	if _, err := net.LookupPort(network, port); err != nil || port == "" || port == "0" {
		return fmt.Errorf("%q is no port", port)
	}
	return nil
}

// Writer writes messages over one kept connection, which it makes when the first message comes and again when it is
// lost. One Write runs at a time, others wait; Close may be called at any time and ends a Write that hangs.
type Writer struct {
	cfg    WriterConfig
	closed context.Context
	close  context.CancelFunc

	mu        sync.Mutex // held by Write
	conn      *connection
	connected bool // once before
	backoff   backoff
	frames    []byte
	ends      []int // of each message of a Write, in bytes since its start
}

// NewWriter returns a Writer for a valid config. It does not connect.
func NewWriter(c WriterConfig) (*Writer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	w := &Writer{cfg: c}
	w.closed, w.close = context.WithCancel(context.Background())
	return w, nil
}

// Write writes msgs in order and returns how many of them, from the first on, were sent whole. It returns within the
// Writer's timeout and ctx. On an error msgs[sent:] are to be written again; the torn half of one that was being written
// is never completed, since its connection is closed. ErrTooLong is about msgs[sent] alone, and the connection stays.
//
// A kept connection that turns out to be dead is replaced once within the Write.
func (w *Writer) Write(ctx context.Context, msgs [][]byte) (sent int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(msgs) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	defer context.AfterFunc(w.closed, cancel)()

	if w.conn != nil && w.conn.alive() != nil {
		w.lose()
	}
	for again := w.conn != nil; ; again = false {
		n, err := w.write(ctx, msgs[sent:], again)
		sent += n
		switch {
		case err == nil || errors.Is(err, ErrTooLong):
			return sent, err
		case w.closed.Err() != nil:
			return sent, ErrClosed
		case again && ctx.Err() == nil && sent < len(msgs):
			continue
		}
		return sent, err
	}
}

// Close ends the connection in order, and a Write that is under way with ErrClosed.
func (w *Writer) Close() error {
	w.close()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		w.conn.finish()
		w.conn = nil
	}
	return nil
}

// write writes msgs over one connection; kept says that it is not a new one, whose end is no reason to wait.
func (w *Writer) write(ctx context.Context, msgs [][]byte, kept bool) (sent int, err error) {
	c, err := w.connect(ctx)
	if err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetWriteDeadline(time.Unix(1, 0)) })
	if c.stream {
		sent, err = w.writeStream(ctx, c, msgs)
	} else {
		sent, err = writeDatagrams(c, msgs)
	}
	late := !stop() // the deadline is set, or will be at any moment: the connection cannot be kept
	if err != nil && ctx.Err() != nil && !errors.Is(err, ErrTooLong) {
		err = fmt.Errorf("the peer took %d of %d messages in time: %w", sent, len(msgs), context.Cause(ctx))
	}
	if err != nil && !errors.Is(err, ErrTooLong) {
		err = fmt.Errorf("write to %s: %w", c.endpoint, err)
		if !kept {
			w.backoff.failed(time.Now())
		}
		w.lose()
		return sent, err
	}
	w.backoff.reset()
	if late {
		w.lose()
	}
	return sent, err
}

// lose drops the connection.
func (w *Writer) lose() {
	w.conn.drop()
	w.conn = nil
}

// connect returns the kept connection, or makes one when the time has come.
func (w *Writer) connect(ctx context.Context) (*connection, error) {
	if w.conn != nil {
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
	for i, endpoint := range w.cfg.Endpoints {
		c, err := w.dialShare(ctx, endpoint, len(w.cfg.Endpoints)-i)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		again := w.connected
		w.conn, w.connected = c, true
		if w.cfg.OnConnect != nil {
			w.cfg.OnConnect(endpoint, again)
		}
		return c, nil
	}
	w.backoff.failed(time.Now())
	return nil, errors.Join(errs...)
}

// dialShare leaves the endpoints after this one their share of the time.
func (w *Writer) dialShare(ctx context.Context, endpoint string, left int) (*connection, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	return w.dial(ctx, endpoint)
}

// chunkBytes is how much is framed and written at once: few system calls, and a buffer that stays small.
const chunkBytes = 64 << 10

// writeStream frames and writes msgs and waits until the peer's system has acknowledged them.
func (w *Writer) writeStream(ctx context.Context, c *connection, msgs [][]byte) (sent int, err error) {
	w.ends = w.ends[:0]
	written, framed, acked := 0, 0, 0
	for next := 0; next < len(msgs) && err == nil; {
		w.frames = w.frames[:0]
		for next < len(msgs) && len(w.frames) < chunkBytes {
			w.frames = AppendFrame(w.frames, msgs[next], w.cfg.Framing)
			w.ends = append(w.ends, framed+len(w.frames))
			next++
		}
		framed += len(w.frames)
		if err = c.alive(); err != nil {
			break
		}
		var n int
		n, err = c.Write(w.frames)
		written += n
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
	if err == nil {
		return len(msgs), nil
	}
	return sort.SearchInts(w.ends, acked+1), err
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

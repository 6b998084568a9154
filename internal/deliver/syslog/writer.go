package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
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
	// made; one that took nothing, or not all in time, comes last the next time.
	Endpoints []string
	// Failback is how long a connection to another endpoint than the first is kept before the first is tried again; 0 is
	// until it ends.
	Failback time.Duration
	// TLS returns the configuration for the next connection; nil is plain text. TLS 1.2 is the least whatever it says, and
	// an empty ServerName is the endpoint's host.
	TLS     func(context.Context) (*tls.Config, error)
	Framing string // OctetCounting or Newline; datagrams have none
	// Timeout bounds one Write, connecting included; 0 is DefaultTimeout. A peer that is slow has half of it for what is under
	// way, and then keeps its connection.
	Timeout time.Duration
	// MaxDelay is the longest wait between two attempts to connect; 0 is 5 s.
	MaxDelay time.Duration
	// OnConnect is called after each connection that was made; again is false for the first of the Writer. May be nil.
	OnConnect func(endpoint string, again bool)
	// OnRepeat is called with the number of messages that are sent again although the peer may have them. May be nil.
	OnRepeat func(messages int)
	// OnUnconfirmed is called with the number of messages that the peer's system acknowledged, of which it is not known
	// whether the peer read them, and that are not sent again: after too many resets. May be nil.
	OnUnconfirmed func(messages int)
}

// Validate reports everything that is wrong with c; the messages name network, endpoint, framing and timeout.
func (c *WriterConfig) Validate() error {
	var errs []error
	switch c.Network {
	case TCP, UDP, Unix:
	default:
		errs = append(errs, fmt.Errorf("network: %q, want one of tcp, udp, unix", c.Network))
	}
	if len(c.Endpoints) == 0 {
		errs = append(errs, errors.New("endpoint: must not be empty"))
	}
	for i, e := range c.Endpoints {
		key := "endpoint"
		if len(c.Endpoints) > 1 {
			key = fmt.Sprintf("endpoints[%d]", i)
		}
		if err := checkEndpoint(c.Network, e); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	switch c.Framing {
	case OctetCounting, Newline:
	default:
		errs = append(errs, fmt.Errorf("framing: %q, want one of octet_counting, newline", c.Framing))
	}
	if c.Timeout < 0 {
		errs = append(errs, errors.New("timeout: must not be negative"))
	}
	if c.Failback < 0 {
		errs = append(errs, errors.New("failback_interval: must not be negative"))
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
	tasks  sync.WaitGroup // settling connections, repeating messages

	mu        sync.Mutex // held by Write
	conn      *connection
	connected bool // once before
	backoff   backoff
	first     int                       // endpoint to begin with
	failback  time.Time                 // when to try the endpoints before the connection's
	pending   pending                   // messages of lost connections that must go out again
	repeating bool                      // repeat runs
	settling  map[*connection]time.Time // since when
	settled   chan struct{}             // told each time one has
	left      int                       // at Close: messages not known to be read
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
	w := &Writer{cfg: c, backoff: backoff{most: c.MaxDelay}, settling: map[*connection]time.Time{}, settled: make(chan struct{}, 1)}
	w.closed, w.close = context.WithCancel(context.Background())
	return w, nil
}

// Write writes msgs in order and returns how many of them, from the first on, were sent whole. It returns within the
// Writer's timeout and ctx. On an error msgs[sent:] are to be written again. ErrTooLong is about msgs[sent] alone, and the
// connection stays. Without an error fewer than all are sent when the peer is slow: go on with the next Write.
//
// A kept connection that turns out to be dead is replaced once within the Write.
func (w *Writer) Write(ctx context.Context, msgs [][]byte) (sent int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(msgs) == 0 {
		return 0, nil
	}
	if w.closed.Err() != nil {
		return 0, ErrClosed
	}
	ctx, cancel := w.bound(ctx)
	defer cancel()

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

// bound gives ctx the Writer's timeout, and its end.
func (w *Writer) bound(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	stop := context.AfterFunc(w.closed, cancel)
	return ctx, func() { stop(); cancel() }
}

// write writes what is pending and then msgs over one connection; kept says that it is not a new one, whose end is no
// reason to wait.
func (w *Writer) write(ctx context.Context, msgs [][]byte, kept bool) (sent int, err error) {
	c, err := w.connect(ctx)
	if err != nil {
		return 0, err
	}
	again := 0 // messages of pending that were sent
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.SetWriteDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	if c.stream {
		if len(w.pending.msgs) > 0 {
			again, err = w.writeStream(ctx, c, w.pending.msgs, w.pending.repeats)
			w.pending.drop(again)
		}
		if err == nil && len(w.pending.msgs) == 0 {
			sent, err = w.writeStream(ctx, c, msgs, nil)
		}
	} else {
		sent, err = writeDatagrams(c, msgs)
	}
	late := !stop() // the deadline is set: the connection cannot be kept
	if late {
		<-interrupted
	}
	if err == nil || errors.Is(err, ErrTooLong) {
		w.backoff.reset()
		w.first = 0
		if late {
			w.lose()
		}
		return sent, err
	}
	timedOut := ctx.Err() != nil
	if timedOut {
		err = fmt.Errorf("the peer took %d of %d messages in time: %w", sent, len(msgs), context.Cause(ctx))
	}
	err = fmt.Errorf("write to %s: %w", c.endpoint, err)
	switch {
	case sent+again > 0:
		w.backoff.reset()
	case !kept:
		w.backoff.failed(time.Now())
	}
	w.first = 0
	if timedOut || !c.stream || !kept && sent+again == 0 {
		w.first = (c.index + 1) % len(w.cfg.Endpoints)
	}
	w.lose()
	return sent, err
}

// Finish sends what is pending, ends the connection and waits until the peer has read all of it, which its own end of the
// connection says; what it did not read is sent once more. It returns when ctx ends at the latest; left is the number of
// messages that the peer's system acknowledged, of which it is not known whether the peer read them. Close comes after it;
// after Close it only says the number.
func (w *Writer) Finish(ctx context.Context) (left int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.closed, cancel)()
	for {
		if w.closed.Err() != nil {
			w.tasks.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.left
		}
		if left = w.endAll(ctx); left == 0 || ctx.Err() != nil {
			return left
		}
		select {
		case <-w.settled:
		case <-time.After(minDelay):
		case <-ctx.Done():
		}
	}
}

// endAll sends what is pending, gives the connection up and returns how many messages are not known to be read.
func (w *Writer) endAll(ctx context.Context) (left int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending.msgs) > 0 {
		bounded, cancel := w.bound(ctx)
		defer cancel()
		_, _ = w.write(bounded, nil, w.conn != nil)
	}
	if w.conn != nil {
		w.lose()
	}
	left = len(w.pending.msgs)
	for c, since := range w.settling {
		left += len(w.unsure(c, since).msgs)
	}
	return left
}

// Close ends the connection in order, and a Write that is under way with ErrClosed. It does not wait for the peer.
func (w *Writer) Close() error {
	w.close()
	w.mu.Lock()
	w.left += len(w.pending.msgs)
	w.pending = pending{}
	if w.conn != nil {
		w.left += len(w.unsure(w.conn, time.Now()).msgs)
		w.conn.finish()
		w.conn = nil
	}
	w.mu.Unlock()
	w.tasks.Wait()
	return nil
}

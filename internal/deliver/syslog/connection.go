package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// errPeerClosed is the cause of a connection that its peer ended in order.
var errPeerClosed = errors.New("the peer closed the connection")

// connection is one connection and the goroutine that reads from it. Syslog peers say nothing, but reading is how their
// close, reset or TLS alert is noticed: a write to a closed peer succeeds once. It also keeps the receive buffer empty, or
// our close would be a reset, which takes from the peer what it has not read yet.
type connection struct {
	net.Conn          // what messages are written to
	socket   net.Conn // the same, or what is below TLS
	stream   bool     // framed; otherwise one datagram is one message
	endpoint string
	index    int    // of endpoint in the configuration
	rest     []byte // of a frame that was written in part
	recent   recent // what the peer's system acknowledged

	arrived    atomic.Int64 // bytes read from the socket
	handshaken int64        // of those, with the TLS handshake
	dead       chan struct{}
	cause      error         // why dead is closed; set before
	ended      chan struct{} // closed when the socket has ended, too
	broken     atomic.Bool   // a write found a reset
	orderly    bool          // the peer ended it after it had read everything; set before ended is closed
}

// keepAlive notices within a minute that an idle peer is gone, and keeps firewalls from forgetting the connection.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// dial connects to one endpoint.
func (w *Writer) dial(ctx context.Context, endpoint string) (*connection, error) {
	d := net.Dialer{KeepAliveConfig: keepAlive}
	network := w.cfg.Network
	socket, err := d.DialContext(ctx, network, endpoint)
	if network == Unix && errors.Is(err, syscall.EPROTOTYPE) { // /dev/log is mostly a datagram socket
		network = "unixgram"
		socket, err = d.DialContext(ctx, network, endpoint)
	}
	if err != nil {
		return nil, err
	}
	if t, ok := socket.(*net.TCPConn); ok {
		_ = t.SetWriteBuffer(sendBuffer) // it works with any
	}
	c := &connection{
		Conn: socket, socket: socket, endpoint: endpoint,
		stream: network == TCP || network == Unix,
		dead:   make(chan struct{}),
		ended:  make(chan struct{}),
	}
	if w.cfg.TLS != nil && network == TCP {
		if err := c.handshake(ctx, w.cfg.TLS); err != nil {
			_ = socket.Close()
			return nil, fmt.Errorf("TLS with %s: %w", endpoint, err)
		}
	}
	if c.stream {
		go c.read()
	}
	if t, ok := c.Conn.(*tls.Conn); ok && t.ConnectionState().Version >= tls.VersionTLS13 {
		if err := c.awaitVerdict(ctx); err != nil {
			c.drop()
			return nil, fmt.Errorf("TLS with %s: %w", endpoint, err)
		}
	}
	return c, nil
}

func (c *connection) handshake(ctx context.Context, load func(context.Context) (*tls.Config, error)) error {
	cfg, err := load(ctx)
	if err != nil {
		return err
	}
	cfg = cfg.Clone()
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(c.endpoint)
		if err != nil {
			return err
		}
		host, _, _ = strings.Cut(host, "%") // a zone belongs to the host, not to the certificate
		cfg.ServerName = host
	}
	t := tls.Client(&counted{Conn: c.socket, n: &c.arrived}, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	c.Conn, c.handshaken = t, c.arrived.Load()
	return nil
}

// verdictWait bounds the wait for a TLS 1.3 server's first word after the handshake. Tests of refusals wait longer.
var verdictWait = 250 * time.Millisecond

// awaitVerdict waits for what a TLS 1.3 server sends after it checked the client's certificate: session tickets, or an
// alert. The client's handshake ends before that, and what it writes into a connection that is about to be refused would
// be acknowledged and thrown away. A server that sends no tickets costs verdictWait for each connection.
func (c *connection) awaitVerdict(ctx context.Context) error {
	end := time.Now().Add(verdictWait)
	for time.Now().Before(end) && c.arrived.Load() == c.handshaken {
		if err := c.wait(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return c.wait(ctx, 5*time.Millisecond) // for the reader to understand what came
}

// wait returns the cause when the connection dies within d.
func (c *connection) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c.dead:
		return c.cause
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// read reads and forgets until the connection ends.
func (c *connection) read() {
	defer close(c.ended)
	err := drain(c.Conn)
	c.cause = err
	if errors.Is(err, io.EOF) {
		c.cause = errPeerClosed
	}
	close(c.dead)
	if c.Conn != c.socket && errors.Is(err, io.EOF) { // the end of TLS; a reset may follow it
		err = drain(c.socket)
	}
	c.orderly = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// drain reads until it fails.
func drain(r io.Reader) error {
	var buf [512]byte
	for {
		if _, err := r.Read(buf[:]); err != nil {
			return err
		}
	}
}

// alive returns the cause of death, or nil.
func (c *connection) alive() error {
	select {
	case <-c.dead:
		return c.cause
	default:
		return nil
	}
}

// drop closes the socket at once: TLS would first wait up to five seconds to tell a peer that may not read.
func (c *connection) drop() { _ = c.socket.Close() }

// closeWrite tells the peer that nothing more comes.
func (c *connection) closeWrite() {
	if t, ok := c.Conn.(*tls.Conn); ok {
		c.note(t.CloseWrite())
	}
	if s, ok := c.socket.(interface{ CloseWrite() error }); ok {
		_ = s.CloseWrite()
	}
}

// closeWait bounds how long an orderly end of TLS may take.
const closeWait = time.Second

// finish closes in order.
func (c *connection) finish() {
	if c.Conn != c.socket {
		t := time.AfterFunc(closeWait, c.drop)
		defer t.Stop()
	}
	_ = c.Close()
}

// counted counts the bytes that are read.
type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

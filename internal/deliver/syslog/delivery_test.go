package syslog

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/peers"
)

// slowConn makes each read of a connection take a pause.
type slowConn struct {
	net.Conn
	pause time.Duration
}

func (c slowConn) Read(p []byte) (int, error) {
	time.Sleep(c.pause)
	return c.Conn.Read(p[:min(len(p), 4096)])
}

type slowListener struct {
	net.Listener
	pause time.Duration
}

func (l slowListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return slowConn{c, l.pause}, nil
}

// tiredListener makes each connection read so many bytes and then none until it is closed.
type tiredListener struct {
	net.Listener
	reads int
}

func (l tiredListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tiredConn{Conn: c, left: l.reads, closed: make(chan struct{})}, nil
}

type tiredConn struct {
	net.Conn
	left   int
	closed chan struct{}
	once   sync.Once
}

func (c *tiredConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		<-c.closed
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func (c *tiredConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// pacedListener makes each connection read so many bytes in a second: also when it was kept from reading for a while.
type pacedListener struct {
	net.Listener
	pace int
}

func (l pacedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &pacedConn{Conn: c, pace: l.pace, began: time.Now()}, nil
}

type pacedConn struct {
	net.Conn
	pace, read int
	began      time.Time
}

func (c *pacedConn) Read(p []byte) (int, error) {
	for {
		if may := int(time.Since(c.began).Seconds()*float64(c.pace)) - c.read; may > 0 {
			n, err := c.Conn.Read(p[:min(len(p), may)])
			c.read += n
			return n, err
		}
		time.Sleep(time.Millisecond)
	}
}

// repeats counts what the Writer says it repeated.
func repeats(c *WriterConfig) *atomic.Int64 {
	var n atomic.Int64
	c.OnRepeat = func(messages int) { n.Add(int64(messages)) }
	return &n
}

// lossless waits until all of want were received by one of the peers, and checks that no more came twice than announced.
func lossless(t *testing.T, want [][]byte, repeated *atomic.Int64, peers ...*peer) {
	t.Helper()
	var missing, duplicates int
	received := func() (got []string) {
		for _, p := range peers {
			got = append(got, p.received()...)
		}
		return got
	}
	require.Eventually(t, func() bool {
		missing, duplicates = compare(want, received())
		return missing == 0
	}, 2*patience, 20*time.Millisecond, "messages are missing") // of which settleWait may take its part
	require.LessOrEqual(t, int64(duplicates), repeated.Load(), "duplicates are counted")
	t.Logf("%d messages, %d twice, at most %d announced", len(want), duplicates, repeated.Load())
}

// TestNothingIsLost: peers die with messages that their systems acknowledged and they have not read.
func TestNothingIsLost(t *testing.T) {
	cert, pool := certificate(t)
	for _, secure := range []bool{false, true} {
		wrap := func(l net.Listener) net.Listener { return l }
		config := WriterConfig{Network: TCP, Timeout: time.Second}
		name := "tcp"
		if secure {
			name = "tls"
			wrap = func(l net.Listener) net.Listener {
				return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
			}
			config.TLS = func(context.Context) (*tls.Config, error) { return &tls.Config{RootCAs: pool}, nil }
		}
		msgs := numbered(3000, 900)

		t.Run(name+", killed under load", func(t *testing.T) {
			l := listen(t, "tcp", peers.FreeAddress(t))
			address := l.Addr().String()
			slow := func(l net.Listener) *peer { return newPeer(t, wrap(slowListener{l, 100 * time.Microsecond})).start() }
			config := config
			config.Endpoints = []string{address}
			repeated := repeats(&config)
			w := newWriter(t, config)
			peers := []*peer{slow(l)}
			stop := make(chan struct{})
			var killer sync.WaitGroup
			killer.Go(func() {
				for range 4 {
					time.Sleep(60 * time.Millisecond)
					peers[len(peers)-1].stop() // closing with unread data is what a killed process does
					peers = append(peers, slow(listen(t, "tcp", address)))
				}
				close(stop)
			})
			for i := 0; i < len(msgs); i += 50 {
				writeAll(t, w, msgs[i:i+50])
				time.Sleep(time.Millisecond)
			}
			<-stop
			killer.Wait()
			lossless(t, msgs, repeated, peers...)
		})

		t.Run(name+", resets in the middle of messages", func(t *testing.T) {
			l := listen(t, "tcp", "127.0.0.1:0")
			p := newPeer(t, wrap(slowListener{l, 50 * time.Microsecond}))
			p.after, p.resets = 777_777, 3
			p.start()
			config := config
			config.Endpoints, config.Timeout = []string{l.Addr().String()}, patience // resets alone end connections
			repeated := repeats(&config)
			w := newWriter(t, config)
			for i := 0; i < len(msgs); i += 100 {
				writeAll(t, w, msgs[i:i+100])
			}
			lossless(t, msgs, repeated, p)
			torn, _ := p.ended()
			require.Positive(t, torn)
		})

		if !secure { // a stalled peer makes no handshake
			t.Run(name+", stalled and then killed", func(t *testing.T) {
				l := listen(t, "tcp", peers.FreeAddress(t))
				address := l.Addr().String()
				stalled := newPeer(t, wrap(l))
				stalled.stall = make(chan struct{})
				stalled.start()
				config := config
				config.Endpoints, config.Timeout = []string{address}, patience
				repeated := repeats(&config)
				w := newWriter(t, config)
				msgs := msgs[:40]
				sent, err := w.Write(t.Context(), msgs)
				require.NoError(t, err, "its system takes all of it")
				require.Equal(t, len(msgs), sent)
				stalled.stop()
				p := newPeer(t, wrap(listen(t, "tcp", address))).start()
				lossless(t, msgs, repeated, p)
				require.Zero(t, len(stalled.received()))
			})
		}

		t.Run(name+", the last batch", func(t *testing.T) {
			l := listen(t, "tcp", peers.FreeAddress(t))
			address := l.Addr().String()
			first := newPeer(t, wrap(tiredListener{l, 20_000})).start()
			config := config
			config.Endpoints, config.Timeout = []string{address}, patience
			repeated := repeats(&config)
			w := newWriter(t, config)
			msgs := msgs[:60]
			writeAll(t, w, msgs)
			first.stop() // which has read some
			second := newPeer(t, wrap(listen(t, "tcp", address))).start()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			require.Zero(t, w.Finish(ctx), "everything was read by one or the other")
			lossless(t, msgs, repeated, first, second)
			require.NotEmpty(t, second.received())
		})
	}
}

// TestResetThatAWriteFinds: the system tells of a reset once, to whoever comes first, reader or writer. The other one finds an
// orderly end, which must not be taken for one.
func TestResetThatAWriteFinds(t *testing.T) {
	msgs := numbered(2000, 1000)
	for range 10 {
		l := listen(t, "tcp", peers.FreeAddress(t))
		address := l.Addr().String()
		stalled := newPeer(t, l)
		stalled.stall = make(chan struct{})
		stalled.start()
		config := WriterConfig{Network: TCP, Endpoints: []string{address}}
		repeated := repeats(&config)
		w := newWriter(t, config)
		first := make(chan *peer)
		time.AfterFunc(10*time.Millisecond, func() {
			stalled.stop() // wakes the write that waits for room, and the reader
			first <- newPeer(t, listen(t, "tcp", address)).start()
		})
		done := make(chan struct{})
		go func() { defer close(done); writeAll(t, w, msgs) }()
		p := <-first
		<-done
		lossless(t, msgs, repeated, p)
		require.NoError(t, w.Close())
		p.stop()
	}
}

// TestRepeatsEnd: a message is not sent for ever to a peer that dies of it, and the end is told.
func TestRepeatsEnd(t *testing.T) {
	p := newPeer(t, listen(t, "tcp", "127.0.0.1:0"))
	p.after = 1 // resets each connection at its first byte
	p.start()
	unconfirmed := make(chan int, 10)
	config := WriterConfig{Network: TCP, Endpoints: []string{p.listener.Addr().String()}, OnUnconfirmed: func(n int) { unconfirmed <- n }}
	repeated := repeats(&config)
	w := newWriter(t, config)
	sent := 0
	for range 200 { // an attempt may also find the reset before the acknowledgment
		if n, _ := w.Write(t.Context(), numbered(1, 1)); n == 1 {
			sent++
			break
		}
	}
	require.Equal(t, 1, sent)
	select {
	case n := <-unconfirmed:
		require.Equal(t, 1, n)
	case <-time.After(patience):
		t.Fatal("the message is sent for ever")
	}
	require.GreaterOrEqual(t, repeated.Load(), int64(maxRepeats))
	require.Empty(t, p.received())
}

// TestASlowPeerGetsAll: what it has not read when a Write gives up it reads later, from the connection that was
// given up.
func TestASlowPeerGetsAll(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	p := newPeer(t, pacedListener{l, 800_000}).start() // 5 s for all
	// Half of it is for the first part of the messages, half for the peer's system to take what lies in both buffers, a second's worth.
	config := WriterConfig{Network: TCP, Endpoints: []string{l.Addr().String()}, Timeout: 6 * time.Second}
	repeated := repeats(&config)
	w := newWriter(t, config)
	msgs := numbered(4000, 1000)
	require.Zero(t, writeAll(t, w, msgs), "slow is no error")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.Zero(t, w.Finish(ctx))
	lossless(t, msgs, repeated, p)
	require.Zero(t, repeated.Load())
	_, accepted := p.ended()
	require.Equal(t, 1, accepted)
}

// TestRecentForgets: a reset long after the last message finds a peer that has read it.
func TestRecentForgets(t *testing.T) {
	var r recent
	now := time.Now()
	r.add([]byte("old"), now.Add(-time.Hour), 0)
	r.add([]byte("new"), now, 2)
	r.add(nil, now, 0)
	require.Equal(t, pending{msgs: [][]byte{[]byte("new"), {}}, repeats: []uint8{2, 0}}, r.since(now.Add(-time.Minute)))
	msg := make([]byte, 1000)
	for i := range 100_000 {
		msg[0] = byte(i)
		r.add(msg, now, 0)
	}
	kept := r.since(now.Add(-time.Minute)).msgs
	require.GreaterOrEqual(t, len(kept)*1000, recentBytes-1000)
	require.LessOrEqual(t, len(kept)*1000, 2*recentBytes)
	require.Equal(t, byte(99_999%256), kept[len(kept)-1][0])
	require.Equal(t, kept[0][0]+1, kept[1][0], "in order")
	require.LessOrEqual(t, cap(r.old.text)+cap(r.new.text), 4*recentBytes)
}

func TestFailover(t *testing.T) {
	t.Run("away and back", func(t *testing.T) {
		l := listen(t, "tcp", peers.FreeAddress(t))
		address := l.Addr().String()
		first, second := newPeer(t, l).start(), newPeer(t, listen(t, "tcp", "127.0.0.1:0")).start()
		config := WriterConfig{Network: TCP, Endpoints: []string{address, second.listener.Addr().String()}, Failback: 50 * time.Millisecond}
		w := newWriter(t, config)
		msgs := numbered(300, 100)
		writeAll(t, w, msgs[:100])
		arrives(t, first, msgs[:100])
		first.stop()
		writeAll(t, w, msgs[100:200])
		arrives(t, second, msgs[100:200])
		again := newPeer(t, listen(t, "tcp", address)).start()
		time.Sleep(60 * time.Millisecond)
		writeAll(t, w, msgs[200:])
		arrives(t, again, msgs[200:])
		require.Len(t, second.received(), 100, "the first is used as soon as it is back")
	})
	t.Run("the first takes messages and does not read", func(t *testing.T) {
		stalled, second := newPeer(t, listen(t, "tcp", "127.0.0.1:0")), newPeer(t, listen(t, "tcp", "127.0.0.1:0")).start()
		stalled.stall = make(chan struct{})
		stalled.start()
		config := WriterConfig{Network: TCP, Endpoints: []string{stalled.listener.Addr().String(), second.listener.Addr().String()},
			Timeout: time.Second, Failback: time.Minute}
		repeated := repeats(&config)
		w := newWriter(t, config)
		msgs := numbered(20_000, 1000)
		require.Positive(t, writeAll(t, w, msgs))
		stalled.stop()
		lossless(t, msgs, repeated, second)
	})
	t.Run("the first refuses by TLS", func(t *testing.T) {
		cert, pool := certificate(t)
		stranger, _ := certificate(t)
		bad := newPeer(t, tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{stranger}})).start()
		good := newPeer(t, tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{cert}})).start()
		w := newWriter(t, WriterConfig{Network: TCP, Endpoints: []string{bad.listener.Addr().String(), good.listener.Addr().String()},
			TLS: func(context.Context) (*tls.Config, error) { return &tls.Config{RootCAs: pool}, nil }})
		msgs := numbered(3, 3)
		require.Zero(t, writeAll(t, w, msgs))
		arrives(t, good, msgs)
		require.Empty(t, bad.received())
	})
	t.Run("each is asked for by its own name", func(t *testing.T) {
		cert, pool := certificate(t)
		names := make(chan string, 10)
		l := tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{cert},
			GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) { names <- hello.ServerName; return nil, nil }})
		p := newPeer(t, l).start()
		_, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(t, err)
		for want, server := range map[string]string{"localhost": "", "siem.example.com": "siem.example.com"} {
			w := newWriter(t, WriterConfig{Network: TCP, Endpoints: []string{"localhost:" + port},
				TLS: func(context.Context) (*tls.Config, error) { return &tls.Config{RootCAs: pool, ServerName: server}, nil }})
			_, err := w.Write(t.Context(), numbered(1, 1))
			require.Equal(t, want, <-names, "SNI")
			require.Equal(t, server == "", err == nil, "the certificate is for localhost: %v", err)
		}
		arrives(t, p, numbered(1, 1))
	})
	t.Run("udp", func(t *testing.T) {
		there, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer there.Close()
		w := newWriter(t, WriterConfig{Network: UDP, Endpoints: []string{nobody, there.LocalAddr().String()}})
		for i := range 20 { // the refusal of one datagram is told with the next
			_, _ = w.Write(t.Context(), numbered(1, i))
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, there.SetReadDeadline(time.Now().Add(patience)))
		_, _, err = there.ReadFrom(make([]byte, 100))
		require.NoError(t, err)
	})
}

package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/siempipe/siempipe/internal/test/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come, and bounds what must end: a busy machine is slow and may pause.
const patience = time.Minute

// nobody is an address at which nothing listens, whoever else uses the machine.
const nobody = "127.0.0.1:1"

func newWriter(t *testing.T, c WriterConfig) *Writer {
	t.Helper()
	if c.Framing == "" {
		c.Framing = OctetCounting
	}
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	w, err := NewWriter(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

// writeAll writes as a retrying caller does and returns how many attempts failed.
func writeAll(t *testing.T, w *Writer, msgs [][]byte) (failed int) {
	t.Helper()
	for sent := 0; sent < len(msgs); {
		n, err := w.Write(context.Background(), msgs[sent:])
		sent += n
		if err == nil {
			continue
		}
		failed++
		require.Less(t, failed, 1000, err)
	}
	return failed
}

func arrives(t *testing.T, p *peer, want [][]byte) {
	t.Helper()
	require.Eventually(t, func() bool {
		missing, _ := compare(want, p.received())
		return missing == 0
	}, patience, 5*time.Millisecond)
}

func TestStreams(t *testing.T) {
	cert, pool := certificate(t)
	server := &tls.Config{Certificates: []tls.Certificate{cert}}
	client := func(context.Context) (*tls.Config, error) { return &tls.Config{RootCAs: pool}, nil }
	for _, c := range []struct {
		name, network, address string
		server                 *tls.Config
	}{
		{"tcp", "tcp", "127.0.0.1:0", nil},
		{"tcp IPv6", "tcp", "[::1]:0", nil},
		{"tls", "tcp", "127.0.0.1:0", server},
		{"tls IPv6", "tcp", "[::1]:0", server},
		{"tls 1.2", "tcp", "127.0.0.1:0", &tls.Config{Certificates: server.Certificates, MaxVersion: tls.VersionTLS12}},
		{"tls without tickets", "tcp", "127.0.0.1:0", &tls.Config{Certificates: server.Certificates, SessionTicketsDisabled: true}},
		{"unix", "unix", filepath.Join(t.TempDir(), "s"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen(c.network, c.address)
			if err != nil && c.address == "[::1]:0" {
				t.Skip("no IPv6 here: ", err)
			}
			require.NoError(t, err)
			address := l.Addr().String()
			if c.server != nil {
				l = tls.NewListener(l, c.server)
			}
			p := newPeer(t, l).start()
			config := WriterConfig{Network: c.network, Endpoints: []string{address}}
			if c.server != nil {
				config.TLS = client
			}
			w := newWriter(t, config)
			msgs := numbered(500, 900)
			for i := 0; i < len(msgs); i += 50 {
				sent, err := w.Write(context.Background(), msgs[i:i+50])
				require.NoError(t, err)
				require.Equal(t, 50, sent)
			}
			arrives(t, p, msgs)
			require.Len(t, p.received(), len(msgs))
			_, accepted := p.ended()
			require.Equal(t, 1, accepted, "one kept connection")
		})
	}
}

func TestDatagrams(t *testing.T) {
	for _, c := range []struct{ name, network, listen, address string }{
		{"udp", UDP, "udp", "127.0.0.1:0"},
		{"udp IPv6", UDP, "udp", "[::1]:0"},
		{"unix", Unix, "unixgram", filepath.Join(t.TempDir(), "log")},
	} {
		t.Run(c.name, func(t *testing.T) {
			pc, err := net.ListenPacket(c.listen, c.address)
			if err != nil && c.address == "[::1]:0" {
				t.Skip("no IPv6 here: ", err)
			}
			require.NoError(t, err)
			defer pc.Close()
			w := newWriter(t, WriterConfig{Network: c.network, Endpoints: []string{pc.LocalAddr().String()}})
			msgs := [][]byte{[]byte("one\ntwo"), []byte("größe"), []byte("<14>three")}
			sent, err := w.Write(context.Background(), msgs)
			require.NoError(t, err)
			require.Equal(t, 3, sent)
			buf := make([]byte, 70000)
			for _, want := range msgs {
				n, _, err := pc.ReadFrom(buf)
				require.NoError(t, err)
				require.Equal(t, string(want), string(buf[:n]), "one datagram, one message, no frame")
			}
		})
	}
}

func TestDatagramTooLongIsReportedAlone(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer pc.Close()
	w := newWriter(t, WriterConfig{Network: UDP, Endpoints: []string{pc.LocalAddr().String()}})
	sent, err := w.Write(context.Background(), [][]byte{[]byte("a"), make([]byte, MaxDatagram+1), []byte("b")})
	require.ErrorIs(t, err, ErrTooLong)
	require.Equal(t, 1, sent)
	sent, err = w.Write(context.Background(), [][]byte{make([]byte, MaxDatagram), []byte("b")})
	require.NoError(t, err)
	require.Equal(t, 2, sent)
}

func TestPeerThatClosedWhileIdle(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	p := newPeer(t, l).start()
	var again atomic.Int32
	w := newWriter(t, WriterConfig{Network: TCP, Endpoints: []string{l.Addr().String()}, OnConnect: func(_ string, a bool) {
		if a {
			again.Add(1)
		}
	}})
	msgs := numbered(20, 10)
	for i := range msgs {
		require.Zero(t, writeAll(t, w, msgs[i:i+1]), "no error, the connection is replaced")
		arrives(t, p, msgs[:i+1])
		p.mu.Lock()
		for c := range p.conns {
			_ = c.Close()
			delete(p.conns, c)
		}
		p.mu.Unlock()
	}
	require.Len(t, p.received(), len(msgs))
	require.EqualValues(t, len(msgs)-1, again.Load())
}

func TestPeerThatResetsInTheMiddleOfMessages(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	p := newPeer(t, l)
	p.after = 100_003 // inside a message, and inside what was written at once
	p.start()
	w := newWriter(t, WriterConfig{Network: TCP, Endpoints: []string{l.Addr().String()}})
	msgs := numbered(64, 1000)
	for range 10 { // a chunk at a time, each read before the next: only torn messages are at stake
		writeAll(t, w, msgs)
	}
	got := p.received()
	for _, m := range got {
		require.Contains(t, m, "message ")
		require.True(t, len(m) >= 1010 && len(m) <= 1012, "whole: %d", len(m))
	}
	torn, _ := p.ended()
	require.Positive(t, torn)
}

func TestPeerThatStalls(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	p := newPeer(t, l)
	p.stall = make(chan struct{})
	p.start()
	config := WriterConfig{Network: TCP, Endpoints: []string{l.Addr().String()}, Timeout: 300 * time.Millisecond}
	repeated := repeats(&config)
	w := newWriter(t, config)
	msgs := numbered(40_000, 1000)
	start := time.Now()
	sent, err := w.Write(context.Background(), msgs)
	require.Error(t, err)
	require.ErrorContains(t, err, "in time")
	require.Less(t, sent, len(msgs))
	require.Less(t, time.Since(start), patience, "its timeout ends it")
	close(p.stall)
	writeAll(t, w, msgs[sent:])
	arrives(t, p, msgs)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.Zero(t, w.Finish(ctx), "the connections that were given up have brought what was begun")
	_, duplicates := compare(msgs, p.received())
	require.LessOrEqual(t, int64(duplicates), repeated.Load())
	torn, _ := p.ended()
	require.Zero(t, torn)
	t.Logf("%d sent before the stall, %d duplicates", sent, duplicates)
}

func TestCloseEndsAWriteThatHangs(t *testing.T) {
	cert, pool := certificate(t)
	l := listen(t, "tcp", "127.0.0.1:0")
	p := newPeer(t, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}}))
	p.stall = make(chan struct{})
	defer close(p.stall)
	p.start()
	connections := 0
	msgs := numbered(40_000, 100) // far more than a peer's system takes
	for name, config := range map[string]WriterConfig{
		"tcp": {Network: TCP, Endpoints: []string{l.Addr().String()}, Timeout: time.Minute},
		"tls handshake": {Network: TCP, Endpoints: []string{l.Addr().String()}, Timeout: time.Minute,
			TLS: func(context.Context) (*tls.Config, error) { return &tls.Config{RootCAs: pool}, nil }},
	} {
		w := newWriter(t, config)
		result := make(chan error)
		connections++
		go func() {
			_, err := w.Write(context.Background(), msgs)
			result <- err
		}()
		require.Eventually(t, func() bool { return p.unread(connections) >= 200 }, patience, 5*time.Millisecond) // a handshake has so much, too
		time.Sleep(100 * time.Millisecond)                                                                       // until the peer's system takes no more
		start := time.Now()
		require.NoError(t, w.Close())
		require.Error(t, <-result, name)
		require.Less(t, time.Since(start), patience/2, name)
		left := w.Finish(context.Background())
		require.Equal(t, name == "tcp", left > 0, "%s: %d messages are with a peer that has read none", name, left)
		_, err := w.Write(context.Background(), numbered(1, 1))
		require.ErrorIs(t, err, ErrClosed, name)
	}
}

// TestWriteAfterClose: a Writer that was closed makes no connection, not even for a moment.
func TestWriteAfterClose(t *testing.T) {
	p := newPeer(t, listen(t, "tcp", "127.0.0.1:0")).start()
	w := newWriter(t, WriterConfig{Network: TCP, Endpoints: []string{p.listener.Addr().String()}})
	require.NoError(t, w.Close())
	for range 1000 {
		sent, err := w.Write(t.Context(), numbered(1, 1))
		require.ErrorIs(t, err, ErrClosed)
		require.Zero(t, sent)
	}
	_, accepted := p.ended()
	require.Zero(t, accepted)
}

func TestPeerRestartedUnderLoad(t *testing.T) {
	l := listen(t, "tcp", peers.FreeAddress(t)) // nobody else gets it while the peer is away
	address := l.Addr().String()
	p := newPeer(t, l).start()
	w := newWriter(t, WriterConfig{Network: TCP, Endpoints: []string{address}})
	msgs := numbered(2000, 200)
	var got []string
	for i := 0; i < len(msgs); i += 100 {
		writeAll(t, w, msgs[i:i+100])
		if i%500 == 400 {
			arrives(t, p, msgs[max(0, i-400):i+100]) // what it acknowledged but did not read, no sender can know
			p.stop()
			got = append(got, p.received()...)
			failed := make(chan int)
			go func() { failed <- writeAll(t, w, msgs[:1]) }()
			time.Sleep(20 * time.Millisecond)
			p = newPeer(t, listen(t, "tcp", address)).start()
			<-failed
		}
	}
	got = append(got, p.received()...)
	missing, _ := compare(msgs, got)
	require.Zero(t, missing)
}

func TestEndpointsInOrder(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	p := newPeer(t, l).start()
	w := newWriter(t, WriterConfig{Network: TCP, Endpoints: []string{nobody, l.Addr().String()}})
	msgs := numbered(3, 3)
	require.Zero(t, writeAll(t, w, msgs))
	arrives(t, p, msgs)
}

func TestTLSRefusals(t *testing.T) {
	cert, pool := certificate(t)
	other, otherPool := certificate(t)
	mutual := &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: otherPool}
	defer func(d time.Duration) { verdictWait = d }(verdictWait)
	for _, c := range []struct {
		name           string
		server, client *tls.Config
		want           string // "" succeeds
	}{
		{"unknown authority", &tls.Config{Certificates: []tls.Certificate{cert}}, &tls.Config{RootCAs: otherPool}, "signed by unknown authority"},
		{"another name", &tls.Config{Certificates: []tls.Certificate{cert}}, &tls.Config{RootCAs: pool, ServerName: "siem.example.com"}, "not siem.example.com"},
		{"TLS 1.1 only", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10}, "protocol version"},
		{"mutual", mutual, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{other}}, ""},
		{"mutual, no certificate", mutual, &tls.Config{RootCAs: pool}, "certificate required"},
		{"mutual, a stranger's certificate", mutual, &tls.Config{RootCAs: pool, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }}, "tls: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := listen(t, "tcp", "127.0.0.1:0")
			p := newPeer(t, tls.NewListener(l, c.server)).start()
			w := newWriter(t, WriterConfig{Network: TCP, Endpoints: []string{l.Addr().String()},
				TLS: func(context.Context) (*tls.Config, error) { return c.client, nil }})
			msgs := numbered(3, 10)
			if verdictWait = time.Millisecond; c.want != "" {
				verdictWait = patience // for a server that is slow to refuse
			}
			sent, err := w.Write(context.Background(), msgs)
			if c.want == "" {
				require.NoError(t, err)
				arrives(t, p, msgs)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.Zero(t, sent, "nothing counts as sent that the peer refuses")
		})
	}
}

func TestUnreachablePeerIsDialedLessAndLess(t *testing.T) {
	w := newWriter(t, WriterConfig{Network: TCP, Endpoints: []string{nobody}, Timeout: 50 * time.Millisecond})
	for range 4 {
		_, err := w.Write(context.Background(), numbered(1, 1))
		require.Error(t, err)
	}
	require.GreaterOrEqual(t, w.backoff.delay, minDelay)
	w.backoff.most = minDelay
	for range 3 {
		w.backoff.failed(time.Now())
	}
	require.Equal(t, minDelay, w.backoff.delay)
	w.backoff.reset()
	require.Equal(t, backoff{most: minDelay}, w.backoff)
	var b backoff
	for range 20 {
		now := time.Now()
		b.failed(now)
		require.LessOrEqual(t, b.until.Sub(now), maxDelay)
		require.GreaterOrEqual(t, b.until.Sub(now), minDelay/2)
	}
}

func TestWriterConfigNamesAllMistakes(t *testing.T) {
	_, err := NewWriter(WriterConfig{Network: "sctp", Framing: "lines", Timeout: -1})
	for _, key := range []string{"network: ", "endpoint: ", "framing: ", "timeout: "} {
		require.ErrorContains(t, err, key)
	}
	for _, endpoint := range []string{"", "host", ":514", "host:", "host:99999", "::1:514", "host:0"} {
		_, err := NewWriter(WriterConfig{Network: TCP, Endpoints: []string{endpoint}, Framing: Newline})
		require.ErrorContains(t, err, "endpoint: ", endpoint)
	}
}

func TestContextEndsAWrite(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	p := newPeer(t, l)
	p.stall = make(chan struct{})
	defer close(p.stall)
	p.start()
	w := newWriter(t, WriterConfig{Network: TCP, Endpoints: []string{l.Addr().String()}, Timeout: time.Minute})
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	time.AfterFunc(50*time.Millisecond, func() { cancel(reason) })
	_, err := w.Write(ctx, numbered(40_000, 1000))
	require.Error(t, err)
}

func BenchmarkWrite(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var read atomic.Int64
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		buf := make([]byte, 1<<20)
		for {
			n, err := c.Read(buf)
			read.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	w, err := NewWriter(WriterConfig{Network: TCP, Endpoints: []string{l.Addr().String()}, Framing: OctetCounting})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	msgs := numbered(1000, 900)
	size := 0
	for _, m := range msgs {
		size += len(AppendFrame(nil, m, OctetCounting))
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	rounds := 0
	for b.Loop() {
		rounds++
		if sent, err := w.Write(context.Background(), msgs); err != nil || sent != len(msgs) {
			b.Fatal(sent, err)
		}
	}
	for end := time.Now().Add(patience); read.Load() < int64(rounds*size); {
		if time.Now().After(end) {
			b.Fatalf("%d of %d bytes arrived", read.Load(), rounds*size)
		}
		time.Sleep(time.Millisecond)
	}
}

package syslog

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/peers"
)

// peer is a syslog server that keeps the messages it read whole, counted ones.
type peer struct {
	listener net.Listener
	after    int           // resets a connection after so many bytes of it; 0 never
	resets   int           // of the first so many connections; 0 is all
	stall    chan struct{} // not nil: does not read until it is closed

	mu       sync.Mutex
	messages []string
	torn     int // connections that ended inside a frame
	accepted int
	conns    map[net.Conn]bool
	latest   net.Conn
	wait     sync.WaitGroup
	stopped  chan struct{}
	once     sync.Once
}

func newPeer(t *testing.T, l net.Listener) *peer {
	p := &peer{listener: l, conns: map[net.Conn]bool{}, stopped: make(chan struct{})}
	t.Cleanup(p.stop)
	return p
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	if network == TCP {
		return peers.Listen(t, address)
	}
	l, err := net.Listen(network, address)
	require.NoError(t, err)
	return l
}

func (p *peer) start() *peer {
	p.wait.Go(func() {
		for {
			c, err := p.listener.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.accepted++
			p.conns[c], p.latest = true, c
			after := p.after
			if p.resets > 0 && p.accepted > p.resets {
				after = 0
			}
			p.mu.Unlock()
			p.wait.Go(func() { p.serve(c, after) })
		}
	})
	return p
}

func (p *peer) stop() {
	_ = p.listener.Close()
	p.once.Do(func() { close(p.stopped) })
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}

func (p *peer) serve(c net.Conn, after int) {
	defer c.Close()
	if p.stall != nil {
		select {
		case <-p.stall:
		case <-p.stopped:
			return
		}
	}
	var in io.Reader = c
	if after > 0 {
		in = io.LimitReader(c, int64(after))
	}
	r := bufio.NewReader(in)
	for {
		length, err := r.ReadString(' ')
		if err != nil {
			p.end(c, length != "", after > 0)
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil {
			panic(fmt.Sprintf("frame starts with %q", length))
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(r, message); err != nil {
			p.end(c, true, after > 0)
			return
		}
		p.mu.Lock()
		p.messages = append(p.messages, string(message))
		p.mu.Unlock()
	}
}

func (p *peer) end(c net.Conn, torn, reset bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if torn {
		p.torn++
	}
	if reset {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
	}
}

func (p *peer) received() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.messages...)
}

// ended says how many connections ended inside a frame, and how many there were.
func (p *peer) ended() (torn, accepted int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.torn, p.accepted
}

// unread says how many bytes at least the system holds for the nth connection, the latest, of a peer over TCP that does not
// read it.
func (p *peer) unread(nth int) (n int) {
	p.mu.Lock()
	c, accepted := p.latest, p.accepted
	p.mu.Unlock()
	if accepted != nth {
		return 0
	}
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return 0
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		n, _, _ = syscall.Recvfrom(int(fd), make([]byte, 4096), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return n
}

// numbered are n messages that differ.
func numbered(n, size int) [][]byte {
	msgs := make([][]byte, n)
	for i := range msgs {
		msgs[i] = append(fmt.Appendf(nil, "message %d ", i), bytes.Repeat([]byte("x"), size)...)
	}
	return msgs
}

// missing returns how many of want are not in got, and how many of got are there more than once.
func compare(want [][]byte, got []string) (missing, duplicates int) {
	seen := map[string]int{}
	for _, m := range got {
		seen[m]++
	}
	for _, m := range want {
		if seen[string(m)] == 0 {
			missing++
		}
	}
	for _, n := range seen {
		duplicates += n - 1
	}
	return missing, duplicates
}

// certificate makes a certificate for localhost and a pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

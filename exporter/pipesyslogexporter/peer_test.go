package pipesyslogexporter

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/peers"
)

// peer is a syslog server that keeps the messages it read whole.
type peer struct {
	listener net.Listener
	newline  bool
	stall    chan struct{} // not nil: does not read until it is closed
	reset    int           // resets the first so many connections after resetAt bytes
	resetAt  int64

	mu       sync.Mutex
	messages []string
	conns    []net.Conn
	ended    int // of conns: read to their end
	wait     sync.WaitGroup
}

// patience is how long a test waits for what must come, and bounds what must end: a busy machine is slow and may pause.
const patience = time.Minute

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	return peers.Listen(t, address)
}

func (p *peer) start(t *testing.T) *peer {
	p.wait.Go(func() {
		for {
			c, err := p.listener.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns = append(p.conns, c)
			n := len(p.conns)
			p.mu.Unlock()
			p.wait.Go(func() { p.serve(c, n) })
		}
	})
	t.Cleanup(p.stop)
	return p
}

func (p *peer) stop() {
	_ = p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}

func (p *peer) serve(c net.Conn, nth int) {
	defer func() {
		c.Close()
		p.mu.Lock()
		p.ended++
		p.mu.Unlock()
	}()
	if p.stall != nil {
		<-p.stall
	}
	var in io.Reader = c
	if nth <= p.reset {
		in = io.LimitReader(c, p.resetAt)
		defer c.(*net.TCPConn).SetLinger(0)
	}
	r := bufio.NewReader(in)
	for {
		message, err := p.read(r)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.messages = append(p.messages, message)
		p.mu.Unlock()
	}
}

func (p *peer) read(r *bufio.Reader) (string, error) {
	if p.newline {
		line, err := r.ReadString('\n')
		return strings.TrimSuffix(line, "\n"), err
	}
	length, err := r.ReadString(' ')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
	if err != nil {
		return "", err
	}
	message := make([]byte, n)
	_, err = io.ReadFull(r, message)
	return string(message), err
}

func (p *peer) received() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.messages...)
}

// await waits for n messages and returns all that came.
func (p *peer) await(t *testing.T, n int) []string {
	t.Helper()
	require.Eventually(t, func() bool { return len(p.received()) >= n }, patience, 2*time.Millisecond)
	return p.received()
}

// all waits until every connection so far has been read to its end, and returns all that came.
func (p *peer) all(t *testing.T) []string {
	t.Helper()
	last, err := net.Dial("tcp", p.listener.Addr().String()) // those before it are accepted when it is
	require.NoError(t, err)
	address := last.LocalAddr().String()
	require.NoError(t, last.Close())
	require.Eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.ended == len(p.conns) && slices.ContainsFunc(p.conns, func(c net.Conn) bool { return c.RemoteAddr().String() == address })
	}, patience, 2*time.Millisecond)
	return p.received()
}

// authority writes a certificate for localhost, its own authority, into dir.
func authority(t *testing.T, dir, name string) (certFile, keyFile string, cert tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certFile, keyFile = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	return certFile, keyFile, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func pool(t *testing.T, certFile string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(certFile)
	require.NoError(t, err)
	p := x509.NewCertPool()
	require.True(t, p.AppendCertsFromPEM(text))
	return p
}

package peers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a certificate authority with a server's certificate for localhost and a client's.
type Authority struct {
	File           string // PEM
	Server, Client KeyPair
}

// KeyPair is the files of a certificate and its key.
type KeyPair struct {
	CertFile, KeyFile string
}

// NewAuthority makes an authority and its certificates, valid for an hour.
func NewAuthority(t *testing.T) *Authority {
	t.Helper()
	dir := t.TempDir()
	pair := func(name string) KeyPair {
		return KeyPair{filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")}
	}
	a := &Authority{File: filepath.Join(dir, "ca.pem"), Server: pair("server"), Client: pair("client")}
	a.Renew(t)
	return a
}

// Renew replaces all files by those of a new authority: nothing of the old ones is trusted any more.
func (a *Authority) Renew(t testing.TB) {
	t.Helper()
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "siempipe test authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	caKey := newKey(t)
	der := issue(t, ca, ca, caKey, caKey)
	replace(t, a.File, "CERTIFICATE", der)
	for i, pair := range []KeyPair{a.Server, a.Client} {
		key := newKey(t)
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(now.UnixNano() + int64(i) + 1), Subject: pkix.Name{CommonName: []string{"localhost", "collector"}[i]},
			NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
			BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}[i]},
		}
		cert := issue(t, leaf, ca, key, caKey)
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		replace(t, pair.KeyFile, "PRIVATE KEY", pkcs8)
		replace(t, pair.CertFile, "CERTIFICATE", cert)
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func issue(t testing.TB, cert, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// replace replaces a file as certificate managers do: readers see the old one or the new one.
func replace(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

package plugin

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/deliver/certs"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// listenTLS reads lines over TLS up to a version and asks clients for a certificate of the authority.
func listenTLS(t *testing.T, a *peers.Authority, upTo uint16) (address string, received <-chan string) {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(a.Server.CertFile, a.Server.KeyFile)
	require.NoError(t, err)
	pem, err := os.ReadFile(a.File)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MaxVersion: upTo})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return "localhost:" + port, serve(l)
}

func TestSyslogOverTLS(t *testing.T) {
	a, other := peers.NewAuthority(t), peers.NewAuthority(t)
	address, received := listenTLS(t, a, tls.VersionTLS13)
	// It refuses within the handshake; how long is waited for what comes behind one of TLS 1.3 is internal/deliver/syslog's to test.
	old, _ := listenTLS(t, a, tls.VersionTLS12)
	good := keys{
		"output": "syslog", "endpoint": address, "framing": "newline", "timeout": "30s",
		"tls_ca_file": a.File, "tls_cert_file": a.Client.CertFile, "tls_key_file": a.Client.KeyFile,
	}
	for _, c := range []struct {
		name   string
		change keys
		result Result
		says   string
	}{
		{"both certificates", nil, OK, ""},
		{"TLS 1.3 alone", keys{"tls_min_version": "1.3"}, OK, ""},
		{"another name, as the server has", keys{"endpoint": "127.0.0.1" + address[len("localhost"):], "tls_server_name_override": "localhost"}, OK, ""},
		{"another name", keys{"tls_server_name_override": "siem.example.com"}, Retry, "certificate is valid for localhost, not siem.example.com"},
		{"another name, unchecked", keys{"tls_server_name_override": "siem.example.com", "tls_insecure_skip_verify": "on"}, OK, ""},
		{"a server of another authority", keys{"tls_ca_file": other.File}, Retry, "certificate signed by unknown authority"},
		{"a client of another authority", keys{"endpoint": old, "tls_cert_file": other.Client.CertFile, "tls_key_file": other.Client.KeyFile}, Retry, "not delivered"},
		{"no certificate of ours", keys{"endpoint": old, "tls_cert_file": "", "tls_key_file": ""}, Retry, "not delivered"},
	} {
		i, log := instance(t, good.with(c.change))
		assert.Equal(t, c.result, i.Flush("tag", findings(1, 1)), c.name)
		if c.result == OK {
			assert.Len(t, take(received, 1), 1, c.name)
		}
		assert.Contains(t, log.String(), c.says, c.name)
	}
}

// TestCertificatesAreReadAgain: new connections get the files' new content; broken files leave the last good ones in use.
func TestCertificatesAreReadAgain(t *testing.T) {
	a := peers.NewAuthority(t)
	c := tlsConfig{caFile: a.File, certFile: a.Client.CertFile, keyFile: a.Client.KeyFile, reload: 1}
	reloader, err := certs.NewReloader(t.Context(), c.reload, c.load)
	require.NoError(t, err)
	first, err := reloader.Config(t.Context())
	require.NoError(t, err)
	a.Renew(t)
	second, err := reloader.Config(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, first.Certificates, second.Certificates)
	assert.NoError(t, reloader.Failure())

	require.NoError(t, os.WriteFile(a.Client.KeyFile, []byte("half a key"), 0o600))
	third, err := reloader.Config(t.Context())
	require.NoError(t, err)
	assert.Same(t, second, third)
	assert.ErrorContains(t, reloader.Failure(), "tls_cert_file, tls_key_file: ")
	assert.NoError(t, reloader.Failure(), "said once")

	c.caFile = filepath.Join(t.TempDir(), "none.pem")
	_, err = certs.NewReloader(t.Context(), c.reload, c.load)
	assert.ErrorContains(t, err, "tls_ca_file: ")
}

package plugin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/siempipe/siempipe/internal/deliver/syslog"
)

// tlsConfig is what the tls_ keys say. TLS is on for tcp unless it is insecure.
type tlsConfig struct {
	insecure, skipVerify      bool
	caFile, certFile, keyFile string
	serverName                string
	minVersion                string
	reload                    time.Duration
}

func (c *tlsConfig) validate(network string) error {
	files := c.caFile != "" || c.certFile != "" || c.keyFile != ""
	switch {
	case network != syslog.TCP && files:
		return fmt.Errorf("tls_ca_file, tls_cert_file, tls_key_file: network %s knows no TLS", network)
	case c.insecure && files:
		return errors.New("tls_insecure: true, and yet there are tls_ca_file, tls_cert_file or tls_key_file")
	case (c.certFile == "") != (c.keyFile == ""):
		return errors.New("tls_cert_file, tls_key_file: want both or none")
	}
	return nil
}

// load reads the files. The error names key and path.
func (c *tlsConfig) load(context.Context) (*tls.Config, error) {
	config := &tls.Config{ServerName: c.serverName, InsecureSkipVerify: c.skipVerify, MinVersion: tls.VersionTLS12}
	if c.minVersion == "1.3" {
		config.MinVersion = tls.VersionTLS13
	}
	if c.caFile != "" {
		pem, err := os.ReadFile(c.caFile)
		if err != nil {
			return nil, fmt.Errorf("tls_ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls_ca_file: %s holds no certificate in PEM", c.caFile)
		}
	}
	if c.certFile != "" {
		cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
		if err != nil {
			return nil, fmt.Errorf("tls_cert_file, tls_key_file: %w", err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config, nil
}

package pipesyslogexporter

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"go.opentelemetry.io/collector/config/configtls"
	"go.uber.org/zap"
)

// certificates loads the TLS configuration again for a connection that is made when reload_interval has passed: authority,
// certificate and key. Files that are broken at that moment leave the last good ones in use.
type certificates struct {
	config configtls.ClientConfig
	logger *zap.Logger

	mu     sync.Mutex
	loaded *tls.Config
	next   time.Time
}

func newCertificates(ctx context.Context, config configtls.ClientConfig, logger *zap.Logger) (*certificates, error) {
	c := &certificates{config: config, logger: logger}
	loaded, err := config.LoadTLSConfig(ctx)
	if err != nil {
		return nil, err
	}
	c.loaded, c.next = loaded, time.Now().Add(config.ReloadInterval)
	return c, nil
}

func (c *certificates) load(ctx context.Context) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.config.ReloadInterval > 0 && now.After(c.next) {
		c.next = now.Add(c.config.ReloadInterval)
		loaded, err := c.config.LoadTLSConfig(ctx)
		if err != nil {
			c.logger.Warn("Certificates cannot be loaded again; the last good ones stay in use.", zap.Error(err))
		} else {
			c.loaded = loaded
		}
	}
	return c.loaded, nil
}

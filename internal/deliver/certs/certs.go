// Package certs keeps a TLS configuration current while its files change.
package certs

import (
	"context"
	"crypto/tls"
	"sync"
	"time"
)

// Reloader gives the TLS configuration for each new connection. It loads it again when the interval has passed. Files that are
// broken at that moment leave the last good ones in use. It is safe for concurrent use.
type Reloader struct {
	load     func(context.Context) (*tls.Config, error)
	interval time.Duration

	mu     sync.Mutex
	loaded *tls.Config
	next   time.Time
	failed error // why loading again failed, until Failure
}

// NewReloader loads the configuration for the first time. An interval of 0 is never again.
func NewReloader(ctx context.Context, interval time.Duration, load func(context.Context) (*tls.Config, error)) (*Reloader, error) {
	loaded, err := load(ctx)
	if err != nil {
		return nil, err
	}
	return &Reloader{load: load, interval: interval, loaded: loaded, next: time.Now().Add(interval)}, nil
}

// Config is the configuration of a connection that is made now. The error is always nil: it is there for those who ask for a
// function of this form.
func (r *Reloader) Config(ctx context.Context) (*tls.Config, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.interval > 0 && now.After(r.next) {
		r.next = now.Add(r.interval)
		loaded, err := r.load(ctx)
		if err == nil {
			r.loaded = loaded
		}
		r.failed = err
	}
	return r.loaded, nil
}

// Failure is why the configuration could not be loaded again, once; nil when it could.
func (r *Reloader) Failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.failed
	r.failed = nil
	return err
}

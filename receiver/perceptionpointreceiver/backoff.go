package perceptionpointreceiver

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff says how long to wait after a failure: twice as long each time, shortened at random by up to half so that
// collectors that failed together do not come back together. For one goroutine.
type backoff struct {
	cfg   RetryConfig
	delay time.Duration
}

// failed returns the next wait. It is never below what the API asked for.
func (b *backoff) failed(asked time.Duration) time.Duration {
	b.delay = min(max(2*b.delay, b.cfg.InitialInterval), b.cfg.MaxInterval)
	d := b.delay - rand.N(b.delay/2+1)
	if asked > 0 {
		d = max(d, asked+rand.N(asked/10+1)) // not before, and not all at the same moment
	}
	return d
}

func (b *backoff) reset() { b.delay = 0 }

// sleep waits; its error is that of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

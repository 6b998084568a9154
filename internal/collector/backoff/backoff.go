// Package backoff says how long to wait between two tries of something that fails.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff doubles the wait after each failure, from First to Max. It is for one goroutine.
type Backoff struct {
	First, Max time.Duration // a Max of 0 never waits

	last time.Duration
}

// Next returns the wait after one more failure.
func (b *Backoff) Next() time.Duration {
	b.last = min(max(2*b.last, b.First), b.Max)
	return b.last
}

// Jittered is Next, shortened at random by up to half: collectors that failed together do not come back together.
func (b *Backoff) Jittered() time.Duration {
	wait := b.Next()
	return wait - rand.N(wait/2+1)
}

// Reset says that it works again: the next wait is First.
func (b *Backoff) Reset() { b.last = 0 }

// Waiting reports whether there was a failure since the last Reset.
func (b *Backoff) Waiting() bool { return b.last > 0 }

// Sleep waits for d, or until ctx ends. Its error is that of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

package syslog

import (
	"math/rand/v2"
	"time"
)

// A peer that cannot be reached is tried again after minDelay, then twice as long each time up to maxDelay, each
// delay shortened at random by up to half so that a restarted SIEM is not met by all collectors at once.
const (
	minDelay = 100 * time.Millisecond
	maxDelay = 5 * time.Second
)

// backoff says when to dial next. The zero value says now.
type backoff struct {
	delay time.Duration
	until time.Time
}

func (b *backoff) failed(now time.Time) {
	b.delay = min(max(2*b.delay, minDelay), maxDelay)
	b.until = now.Add(b.delay - rand.N(b.delay/2))
}

func (b *backoff) reset() { *b = backoff{} }

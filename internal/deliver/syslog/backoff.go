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
	most  time.Duration // longest delay; 0 is maxDelay
	delay time.Duration
	until time.Time
}

func (b *backoff) failed(now time.Time) {
	most := maxDelay
	if b.most > 0 {
		most = b.most
	}
	b.delay = min(max(2*b.delay, minDelay), most)
	b.until = now.Add(b.delay - rand.N(b.delay/2))
}

func (b *backoff) reset() { b.delay, b.until = 0, time.Time{} }

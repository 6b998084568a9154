package perceptionpointreceiver

import (
	"sync"
	"time"
)

// firstPlausible is the earliest time a clock may show that was set at all.
var firstPlausible = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// clock tells the API's time: that of its last answer and what has passed since. The creation times of scans are the
// API's, so a local clock that is wrong or jumps must not move the place in the list. Until an answer tells the time, it is the
// local one at the start and what has passed since. Safe for concurrent use.
type clock struct {
	elapsed func() time.Duration // since some moment; never jumps

	mu   sync.Mutex
	base time.Time
	at   time.Duration
}

func newClock() *clock {
	start := time.Now()
	c := &clock{elapsed: func() time.Duration { return time.Since(start) }}
	c.base = start
	return c
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(c.elapsed() - c.at)
}

// learn takes the API's time over and returns how far ahead of the local one it is.
func (c *clock) learn(server time.Time) time.Duration {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.at = server, c.elapsed()
	return server.Sub(now)
}

package findingstateprocessor

import (
	"errors"
	"fmt"
	"time"

	"github.com/siempipe/siempipe/internal/findingstate"
)

// Values of the keys emit, release and dispositions_without_tenant; metadata.yaml lists them all.
const (
	emitAll         = "all"
	onScanCompleted = "on_scan_completed"
	applyToAll      = "apply"
)

// minQuiet is the shortest quiet period: a sender that waits a moment between two requests must not end a snapshot.
const minQuiet = time.Second

var errNoStorage = errors.New("storage: required, the id of a storage extension: " +
	"what is new about a finding can only be said by who remembers it across restarts")

// check finds what the schema in metadata.yaml cannot say. That there is a storage is seen to where the processor is made:
// the defaults that mdatagen writes have none.
func (c *Config) check() error {
	var errs []error
	for _, d := range [...]struct {
		key   string
		value time.Duration
	}{{"heartbeat", c.Heartbeat}, {"quiet_period", c.QuietPeriod}, {"expire_after", c.ExpireAfter}, {"max_waiting_time", c.MaxWaitingTime}} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("%s: %s, want 0 or more", d.key, d.value))
		}
	}
	if c.QuietPeriod > 0 && c.QuietPeriod < minQuiet {
		errs = append(errs, fmt.Errorf("quiet_period: %s, want 0 or at least %s", c.QuietPeriod, minQuiet))
	}
	if c.ExpireAfter > 0 && c.ExpireAfter <= c.Heartbeat {
		errs = append(errs, fmt.Errorf("expire_after: %s, want 0 or more than the heartbeat of %s", c.ExpireAfter, c.Heartbeat))
	}
	return errors.Join(errs...)
}

// options are the core's part of the configuration.
func (c *Config) options() findingstate.Options {
	return findingstate.Options{
		All:             c.Emit == emitAll,
		Heartbeat:       c.Heartbeat,
		OnScanCompleted: c.Release == onScanCompleted,
		QuietPeriod:     c.QuietPeriod,
		SnapshotFormats: c.SnapshotFormats,
		ExpireAfter:     c.ExpireAfter,
		SweepGather:     min(c.QuietPeriod/4, time.Minute),
		SweepInterval:   min(max(c.ExpireAfter/16, time.Minute), 24*time.Hour),
		MaxWaitingBytes: c.MaxWaitingBytes,
		MaxWaitingTime:  c.MaxWaitingTime,
		CacheFindings:   c.CacheFindings,
		IgnoreFields:    append([]string{memberChange, memberFields}, c.IgnoreFields...),
		AnyTenant:       c.DispositionsWithoutTenant == applyToAll,
	}
}

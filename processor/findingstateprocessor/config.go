package findingstateprocessor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/siempipe/siempipe/internal/findingstate"
)

// Values of the keys emit, release and dispositions_without_tenant.
const (
	emitAll         = "all"
	emitChanges     = "changes"
	immediately     = "immediately"
	onScanCompleted = "on_scan_completed"
	applyToAll      = "apply"
	ignoreOthers    = "ignore"
)

var (
	emits        = []string{emitAll, emitChanges}
	releases     = []string{immediately, onScanCompleted}
	dispositions = []string{applyToAll, ignoreOthers}
)

// Defaults and limits, with their reasons.
const (
	// Once a day a SIEM is reminded of what is still open.
	defaultHeartbeat   = 24 * time.Hour
	defaultQuietPeriod = 15 * time.Minute
	// A sender that waits a moment between two requests must not end a snapshot.
	minQuietPeriod  = time.Second
	defaultExpiry   = 90 * 24 * time.Hour
	defaultMaxBytes = 1 << 30
	// Less than one large request would make every scan exceed it.
	minMaxBytes    = 1 << 20
	defaultMaxTime = 24 * time.Hour
	// At about 200 bytes each, 200 MB.
	defaultCacheFindings = 1_000_000
)

// Config is what users may say about the processor.
type Config struct {
	// Storage is the storage extension that holds the state, file_storage unless set; the processor does not start without it.
	Storage component.ID `mapstructure:"storage"`
	// Emit is what goes on. changes is what is new, changed, resolved or reopened, and open findings at each heartbeat; all is every finding that is not hidden.
	Emit string `mapstructure:"emit"`
	// Heartbeat is how long an open finding stays silent with emit changes; 0 is for ever.
	Heartbeat time.Duration `mapstructure:"heartbeat"`
	// Release is when the findings of a scan that names itself go on. on_scan_completed keeps them until the scan has completed and discards them when it fails.
	Release string `mapstructure:"release"`
	// QuietPeriod is how long a snapshot without scan id is silent before it counts as complete, and how long a completed scan is waited for stragglers; 0 means no snapshots but those of scans.
	QuietPeriod time.Duration `mapstructure:"quiet_period"`
	// SnapshotFormats are source formats that write every open finding again each time, so that one that does not come again is worth noting.
	SnapshotFormats []string `mapstructure:"snapshot_formats"`
	// EmitNotSeen is whether a finding that did not come again goes on, once, as not_seen.
	EmitNotSeen bool `mapstructure:"emit_not_seen"`
	// AnnotateBody is whether the body says what changed too, in the members siem_change and siem_changed_fields.
	AnnotateBody bool `mapstructure:"annotate_body"`
	// IgnoreFields are fields of a finding whose change is no news.
	IgnoreFields []string `mapstructure:"ignore_fields"`
	// DispositionsWithoutTenant is what a dismissal or snooze that names no tenant does. apply hides the findings of that alert id of all tenants; ignore only those without a tenant.
	DispositionsWithoutTenant string `mapstructure:"dispositions_without_tenant"`
	// ExpireAfter is how long a finding is remembered that does not come again; 0 is for ever.
	ExpireAfter time.Duration `mapstructure:"expire_after"`
	// MaxWaitingBytes is how many bytes of findings may wait on disk for their scans; a scan that exceeds it is waited for no longer.
	MaxWaitingBytes int64 `mapstructure:"max_waiting_bytes"`
	// MaxWaitingTime is how long findings wait for their scan to complete.
	MaxWaitingTime time.Duration `mapstructure:"max_waiting_time"`
	// CacheFindings is how many findings have their state kept in memory, at about 200 bytes each.
	CacheFindings int `mapstructure:"cache_findings"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ confmap.Validator = (*Config)(nil)

func createDefaultConfig() component.Config {
	return &Config{
		Storage:                   component.MustNewID("file_storage"),
		Emit:                      emitAll,
		Heartbeat:                 defaultHeartbeat,
		Release:                   immediately,
		QuietPeriod:               defaultQuietPeriod,
		SnapshotFormats:           []string{"panoptica"},
		IgnoreFields:              []string{"detection_timestamp"},
		DispositionsWithoutTenant: applyToAll,
		ExpireAfter:               defaultExpiry,
		MaxWaitingBytes:           defaultMaxBytes,
		MaxWaitingTime:            defaultMaxTime,
		CacheFindings:             defaultCacheFindings,
	}
}

// Validate names every key that is wrong.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Storage == (component.ID{}) {
		fail("storage: required, the id of a storage extension: what is new about a finding can only be said by who remembers it across restarts")
	}
	for _, e := range [...]struct {
		key, value string
		values     []string
	}{{"emit", c.Emit, emits}, {"release", c.Release, releases}, {"dispositions_without_tenant", c.DispositionsWithoutTenant, dispositions}} {
		if !slices.Contains(e.values, e.value) {
			fail("%s: %.64q, want %s", e.key, e.value, strings.Join(e.values, " or "))
		}
	}
	for _, d := range [...]struct {
		key   string
		value time.Duration
	}{{"heartbeat", c.Heartbeat}, {"quiet_period", c.QuietPeriod}, {"expire_after", c.ExpireAfter}, {"max_waiting_time", c.MaxWaitingTime}} {
		if d.value < 0 {
			fail("%s: %s, want 0 or more", d.key, d.value)
		}
	}
	if c.QuietPeriod > 0 && c.QuietPeriod < minQuietPeriod {
		fail("quiet_period: %s, want 0 or at least %s", c.QuietPeriod, minQuietPeriod)
	}
	if c.ExpireAfter > 0 && c.ExpireAfter <= c.Heartbeat {
		fail("expire_after: %s, want 0 or more than the heartbeat of %s", c.ExpireAfter, c.Heartbeat)
	}
	if c.MaxWaitingBytes < minMaxBytes {
		fail("max_waiting_bytes: %d, want at least %d", c.MaxWaitingBytes, minMaxBytes)
	}
	if c.CacheFindings < findingstate.MinCacheFindings {
		fail("cache_findings: %d, want at least %d", c.CacheFindings, findingstate.MinCacheFindings)
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

package detectionprocessor

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/siempipe/siempipe/internal/detect"
	"github.com/siempipe/siempipe/rules"
)

const (
	// How soon an edited rule is in force. Looking at a hundred files costs less than a millisecond.
	defaultReloadInterval = 10 * time.Second
	minWindows            = 1
	// Below a mebibyte a few rules with samples would push out each other's windows.
	minWindowBytes = 1 << 20
)

// Config is what users may say about the processor.
type Config struct {
	// Rules are rule files in Sigma's format, as files, directories or globs; builtin is for the rules that are built in. Of rules with the same id or name the later is in force.
	Rules []string `mapstructure:"rules"`
	// DisabledRules are ids, names or titles of rules that are left out.
	DisabledRules []string `mapstructure:"disabled_rules"`
	// Mapping is a file with further log sources and fields, laid over those that are built in; empty means none.
	Mapping string `mapstructure:"mapping"`
	// ReloadInterval is how often rule and mapping files are looked at for a change.
	ReloadInterval time.Duration `mapstructure:"reload_interval"`
	// Storage is the storage extension that keeps windows over a restart; without one they begin anew.
	Storage *component.ID `mapstructure:"storage"`
	// MaxWindows is how many windows are held, one for each rule, tenant and dedup string; beyond that the longest untouched are forgotten.
	MaxWindows int `mapstructure:"max_windows"`
	// MaxWindowBytes is about how many bytes all windows hold together; beyond that the longest untouched are forgotten.
	MaxWindowBytes int64 `mapstructure:"max_window_bytes"`
	// Linger is how long a window is held beyond its period after its last record arrived, for records that come late.
	Linger time.Duration `mapstructure:"linger"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ confmap.Validator = (*Config)(nil)

func createDefaultConfig() component.Config {
	return &Config{
		Rules:          []string{detect.BuiltinName},
		ReloadInterval: defaultReloadInterval,
		MaxWindows:     detect.DefaultMaxWindows,
		MaxWindowBytes: detect.DefaultMaxBytes,
		Linger:         detect.DefaultLinger,
	}
}

// Validate names every key that is wrong.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Rules) == 0 {
		fail("rules: name at least one file, or builtin")
	}
	if c.ReloadInterval <= 0 {
		fail("reload_interval: %s, want a positive duration", c.ReloadInterval)
	}
	if c.MaxWindows < minWindows {
		fail("max_windows: %d, want at least %d", c.MaxWindows, minWindows)
	}
	if c.MaxWindowBytes < minWindowBytes {
		fail("max_window_bytes: %d, want at least %d", c.MaxWindowBytes, minWindowBytes)
	}
	if c.Linger <= 0 {
		fail("linger: %s, want a positive duration", c.Linger)
	}
	return errors.Join(errs...)
}

// loader reads the rules as configured.
func (c *Config) loader() *detect.Loader {
	return &detect.Loader{Patterns: c.Rules, Mapping: c.Mapping, Disabled: c.DisabledRules, Builtin: rules.FS}
}

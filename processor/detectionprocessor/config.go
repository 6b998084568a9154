package detectionprocessor

import (
	"errors"

	"go.opentelemetry.io/collector/component"

	"github.com/siempipe/siempipe/internal/detect"
	"github.com/siempipe/siempipe/rules"
)

// check finds what the schema in metadata.yaml cannot say.
func (c *Config) check() error {
	var errs []error
	if len(c.Rules) == 0 {
		errs = append(errs, errors.New("rules: name at least one file, or builtin"))
	}
	if c.ReloadInterval <= 0 {
		errs = append(errs, errors.New("reload_interval: must be positive"))
	}
	if c.Linger <= 0 {
		errs = append(errs, errors.New("linger: must be positive"))
	}
	return errors.Join(errs...)
}

func (c *Config) hasStorage() bool { return c.Storage != component.ID{} }

// loader reads the rules as configured.
func (c *Config) loader() *detect.Loader {
	return &detect.Loader{Patterns: c.Rules, Mapping: c.Mapping, Disabled: c.DisabledRules, Builtin: rules.FS}
}

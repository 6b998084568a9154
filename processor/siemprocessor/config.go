package siemprocessor

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/siempipe/siempipe/internal/screen"
	"github.com/siempipe/siempipe/internal/source"
)

// Values of the keys on_invalid and body that are no default; metadata.yaml lists them all.
const (
	onInvalidDrop = "drop"
	bodyMap       = "map"
)

var _ confmap.Validator = (*Suppressions)(nil)

// Validate checks what the schema in metadata.yaml cannot say.
func (s *Suppressions) Validate() error {
	if s.File != "" && s.ReloadInterval <= 0 {
		return errors.New("reload_interval must be positive")
	}
	return nil
}

// validateScanSeverities checks what the core says of the severities of verdicts.
func validateScanSeverities(severities map[string]string) error {
	_, err := source.NewParser(source.Options{VerdictSeverities: severities})
	return err
}

// validateFlowFields checks what the core says of the fields of flow logs.
func validateFlowFields(fields string) error {
	if _, err := source.NewParser(source.Options{VPCFlowFields: fields}); err != nil {
		return fmt.Errorf("vpc_flow_fields: %w", err)
	}
	return nil
}

func validateJoinWindow(window time.Duration) error {
	if window <= 0 {
		return fmt.Errorf("join_window: %v, want more than 0", window)
	}
	return nil
}

// joins reports whether lines are joined to scans, or were before: what waits in the storage must come out.
func (c *Config) joins() bool { return c.JoinSyslog || c.JoinStorage != nil }

// options are the core's part of the configuration.
func (c *Config) options() source.Options {
	return source.Options{
		Format:            c.Format,
		TenantID:          c.TenantID,
		SourceID:          c.SourceID,
		SourceLabel:       c.SourceLabel,
		ScansAsFindings:   c.ScansAsFindings,
		VerdictSeverities: c.ScanSeverities,
		VPCFlowFields:     c.VpcFlowFields,
		MaxRecordBytes:    c.MaxRecordBytes,
	}
}

// screen is what decides which records go on.
func (c *Config) screen() screen.Screen {
	return screen.Screen{
		Exclude:     screen.Exclude{Dismissed: c.Exclude.Dismissed, Snoozed: c.Exclude.Snoozed, Resolved: c.Exclude.Resolved},
		DropInvalid: c.OnInvalid == onInvalidDrop,
	}
}

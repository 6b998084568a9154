package siemprocessor

import (
	"errors"
	"fmt"
	"time"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process"
)

// Values of the keys on_invalid, body and suppressions.on_match that are no default; metadata.yaml lists them all.
const (
	onInvalidDrop = "drop"
	bodyMap       = "map"
	onMatchMark   = "mark"
)

// validateReloadInterval checks what the schema in metadata.yaml cannot say.
func validateReloadInterval(interval time.Duration) error {
	if interval <= 0 {
		return errors.New("reload_interval must be positive")
	}
	return nil
}

// validateScanSeverities checks what the core says of the severities of verdicts.
func validateScanSeverities(severities map[string]string) error {
	_, err := format.NewParser(format.Options{VerdictSeverities: severities})
	return err
}

// validateFlowFields checks what the core says of the fields of flow logs.
func validateFlowFields(fields string) error {
	if _, err := format.NewParser(format.Options{VPCFlowFields: fields}); err != nil {
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
func (c *Config) options() format.Options {
	return format.Options{
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
func (c *Config) screen() process.Screen {
	return process.Screen{
		Exclude:     process.Exclude{Dismissed: c.Exclude.Dismissed, Snoozed: c.Exclude.Snoozed, Resolved: c.Exclude.Resolved},
		DropInvalid: c.OnInvalid == onInvalidDrop,

		MarkSuppressed: c.Suppressions.OnMatch == onMatchMark,
	}
}

// dropped is what the components behind do not get to see.
func (c *Config) dropped() logrecord.Dropped {
	s := c.screen()
	return logrecord.Dropped{
		Exclude:    s.Exclude,
		Suppressed: c.Suppressions.File != "" && !s.MarkSuppressed,
		ScanEvents: c.ScanEvents != scanEventsPass,
	}
}

package siemprocessor

import (
	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process"
)

// joins reports whether lines are joined to scans, or were before: lines that wait in the storage must come out.
func (c *Config) joins() bool { return c.JoinSyslog || c.JoinStorage != nil }

// options are the core's part of the configuration.
func (c *Config) options() process.Options {
	return process.Options{
		Parsing: format.Options{
			Format:            c.Format,
			TenantID:          c.TenantID,
			SourceID:          c.SourceID,
			SourceLabel:       c.SourceLabel,
			ScansAsFindings:   c.ScansAsFindings,
			VerdictSeverities: c.ScanSeverities,
			VPCFlowFields:     c.VpcFlowFields,
			MaxRecordBytes:    c.MaxRecordBytes,
		},
		Exclude:        process.Exclude{Dismissed: c.Exclude.Dismissed, Snoozed: c.Exclude.Snoozed, Resolved: c.Exclude.Resolved},
		DropInvalid:    c.OnInvalid == onInvalidDrop,
		MarkSuppressed: c.Suppressions.OnMatch == onMatchMark,
		PassScanEvents: c.ScanEvents == scanEventsPass,
		JoinScans:      c.joins(),
	}
}

// drops is what the components after this one do not receive.
func (c *Config) drops() logrecord.UpstreamDrops {
	opts := c.options()
	return logrecord.UpstreamDrops{
		Exclude:    opts.Exclude,
		Suppressed: c.Suppressions.File != "" && !opts.MarkSuppressed,
		ScanEvents: !opts.PassScanEvents,
	}
}

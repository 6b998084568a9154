package siemprocessor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/siempipe/siempipe/internal/format"
)

// Values of keys.
const (
	bodyJSON         = "json"
	bodyMap          = "map"
	onInvalidKeep    = "keep"
	onInvalidDrop    = "drop"
	onMatchDrop      = "drop"
	onMatchMark      = "mark"
	scanEventsIgnore = "ignore"
	scanEventsPass   = "pass"
)

// Defaults.
const (
	defaultReloadInterval = 10 * time.Second // a check costs one read of the file
	defaultJoinWindow     = 10 * time.Minute
	defaultJoinMaxBytes   = 64 << 20 // about 100,000 scans
)

// Config is what users may say about the processor.
type Config struct {
	// Source format of the records; auto claims each record for exactly one format. A record's own siem.format attribute wins.
	Format string `mapstructure:"format"`
	// Body of the records that continue. json is the canonical JSON object as a string; map is the parsed object, for OTTL after the processor, at about ten times the cost.
	Body string `mapstructure:"body"`
	// Findings that are dropped because of what people decided about them.
	Exclude Exclude `mapstructure:"exclude"`
	// Findings that are dropped, or marked, by the rules of a file.
	Suppressions Suppressions `mapstructure:"suppressions"`
	// What happens to records that cannot be parsed or fail their schema; keep lets them continue as event type invalid.
	OnInvalid string `mapstructure:"on_invalid"`
	// Tenant of records that name none; starts with id.
	TenantID string `mapstructure:"tenant_id"`
	// p_source_id of log records.
	SourceID string `mapstructure:"source_id"`
	// p_source_label of log records.
	SourceLabel string `mapstructure:"source_label"`
	// Turn Perception Point scans into findings of the Panoptica SIEM schema.
	ScansAsFindings bool `mapstructure:"scans_as_findings"`
	// Severities of Perception Point verdicts where they differ from the default; by code or word, unknown for verdicts without a row. A value is Information, Low, Medium, High, Critical or none.
	ScanSeverities map[string]string `mapstructure:"scan_severities"`
	// Repair truncated and ambiguous Perception Point syslog lines with the API scan of the same Scan ID; either may come first.
	JoinSyslog bool `mapstructure:"join_syslog"`
	// Longest time between a line and its scan.
	JoinWindow time.Duration `mapstructure:"join_window"`
	// Storage extension in which damaged lines wait for their scans. Without it nothing waits, and such a line continues at once, as it is.
	JoinStorage *component.ID `mapstructure:"join_storage"`
	// Limit of what is remembered of lines and scans, in bytes. Beyond it the oldest scans are forgotten and lines do not wait.
	JoinMaxBytes int `mapstructure:"join_max_bytes"`
	// What happens to events that report the progress of a scan. pass lets them continue, for a finding_state processor; ignore drops the ends of scan envelopes and reads events that come on their own like any record.
	ScanEvents string `mapstructure:"scan_events"`
	// Names of the fields of VPC flow logs whose lines come without a header, with blanks between them as in one; empty means the default format, version 2.
	VpcFlowFields string `mapstructure:"vpc_flow_fields"`
	// Longest record that is parsed, in bytes; longer ones are invalid.
	MaxRecordBytes int `mapstructure:"max_record_bytes"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Exclude is which findings are dropped.
type Exclude struct {
	// Drop dismissed and ignored findings.
	Dismissed bool `mapstructure:"dismissed"`
	// Drop findings that are snoozed at the time they pass.
	Snoozed bool `mapstructure:"snoozed"`
	// Drop resolved findings.
	Resolved bool `mapstructure:"resolved"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Suppressions is where the rules are, and what they do.
type Suppressions struct {
	// Path of the suppressions file; empty means none.
	File string `mapstructure:"file"`
	// How often the file is checked for a change.
	ReloadInterval time.Duration `mapstructure:"reload_interval"`
	// What happens to findings that a rule matches; mark lets them continue with the rule's name in siem.suppressed, for a finding_state processor, which hides them.
	OnMatch string `mapstructure:"on_match"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ confmap.Validator = (*Config)(nil)

func createDefaultConfig() component.Config {
	return &Config{
		Format:         format.Auto,
		Body:           bodyJSON,
		Exclude:        Exclude{Dismissed: true, Snoozed: true},
		Suppressions:   Suppressions{ReloadInterval: defaultReloadInterval, OnMatch: onMatchDrop},
		OnInvalid:      onInvalidKeep,
		JoinWindow:     defaultJoinWindow,
		JoinMaxBytes:   defaultJoinMaxBytes,
		ScanEvents:     scanEventsIgnore,
		MaxRecordBytes: format.DefaultMaxRecordBytes,
	}
}

// values of the keys that take one of several words.
func values() map[string][]string {
	return map[string][]string{
		"format":                 append([]string{format.Auto}, format.Names()...),
		"body":                   {bodyJSON, bodyMap},
		"suppressions::on_match": {onMatchDrop, onMatchMark},
		"on_invalid":             {onInvalidKeep, onInvalidDrop},
		"scan_events":            {scanEventsIgnore, scanEventsPass},
	}
}

// Validate names every key that is wrong.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	allowed := values()
	oneOf := func(key, value string) {
		if !slices.Contains(allowed[key], value) {
			bad(key, "%.64q, want one of %s", value, strings.Join(allowed[key], ", "))
		}
	}
	oneOf("format", c.Format)
	oneOf("body", c.Body)
	oneOf("suppressions::on_match", c.Suppressions.OnMatch)
	oneOf("on_invalid", c.OnInvalid)
	oneOf("scan_events", c.ScanEvents)
	for _, d := range [...]struct {
		key   string
		value time.Duration
	}{{"suppressions::reload_interval", c.Suppressions.ReloadInterval}, {"join_window", c.JoinWindow}} {
		if d.value <= 0 {
			bad(d.key, "%v, want more than 0", d.value)
		}
	}
	for _, n := range [...]struct {
		key   string
		value int
	}{{"join_max_bytes", c.JoinMaxBytes}, {"max_record_bytes", c.MaxRecordBytes}} {
		if n.value < 1 {
			bad(n.key, "%d, want at least 1", n.value)
		}
	}
	if c.TenantID != "" && !strings.HasPrefix(c.TenantID, "id") {
		bad("tenant_id", "%q, want a text that starts with id", c.TenantID)
	}
	if _, err := format.NewParser(format.Options{VerdictSeverities: c.ScanSeverities}); err != nil {
		errs = append(errs, err) // names its key
	}
	if _, err := format.NewParser(format.Options{VPCFlowFields: c.VpcFlowFields}); err != nil {
		bad("vpc_flow_fields", "%w", err)
	}
	return errors.Join(errs...)
}

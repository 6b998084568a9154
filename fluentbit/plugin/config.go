package plugin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/deliver/syslog"
	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/encodings"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/schema"
)

// Values of keys.
const (
	outputS3        = "s3"
	outputDirectory = "directory"
	outputSyslog    = "syslog"

	invalidKeep = "keep"
	invalidDrop = "drop"

	partitionByEvent  = "event"
	partitionByExport = "export"

	testOff     = "off"
	testOnStart = "on_start"
)

// config is what the keys say. Keys fills it.
type config struct {
	output    string
	recordKey string
	timeout   time.Duration

	source         format.Options
	exclude        process.Exclude
	onInvalid      string
	suppressions   string // path
	reloadInterval time.Duration
	schema         schema.Config // of bodies on their way out; no key sets it yet

	endpoint      string // of S3 or of the SIEM
	s3            objectstore.S3Options
	directory     string
	root          string
	eventType     string
	partitionTime string
	compression   string
	testMessage   string

	endpoints      []string
	failback       time.Duration
	network        string
	tls            tlsConfig
	header         syslog.HeaderConfig
	facility       string
	framing        string
	encoding       string // "" is the default of package encodings
	encoder        encode.Config
	maxLength      int
	includeInvalid bool
}

// readConfig reads every key and checks them together. The error joins all mistakes, each by its key, its value and what
// is allowed.
func readConfig(s Settings) (*config, error) {
	c := &config{}
	set := make(map[string]bool)
	var errs []error
	for i := range Keys {
		k := &Keys[i]
		value := strings.TrimSpace(s.Get(k.Name))
		if value != "" {
			set[k.Name] = true
		} else if value = k.Default; value == "" {
			continue
		}
		if err := k.set(c, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", k.Name, err))
		}
	}
	if len(errs) > 0 { // what belongs together cannot be judged
		return nil, errors.Join(errs...)
	}
	for i := range Keys {
		if k := &Keys[i]; set[k.Name] && len(k.Outputs) > 0 && !slices.Contains(k.Outputs, c.output) {
			errs = append(errs, fmt.Errorf("%s: belongs to output %s, and output is %s", k.Name, strings.Join(k.Outputs, " and "), orNone(c.output)))
		}
	}
	errs = append(errs, c.validate()...)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

func orNone(value string) string {
	if value == "" {
		return "not set"
	}
	return value
}

func (c *config) validate() []error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, fmt.Errorf(key+": "+format, args...)) }
	if c.timeout <= 0 {
		bad("timeout", "%v, want more than 0: a flush without a limit would hold the host", c.timeout)
	}
	if c.source.TenantID != "" && !strings.HasPrefix(c.source.TenantID, "id") {
		bad("tenant_id", "%q, want a text that starts with id", c.source.TenantID)
	}
	if c.source.MaxRecordBytes <= 0 {
		bad("max_record_bytes", "%d, want more than 0", c.source.MaxRecordBytes)
	}
	if _, err := format.NewParser(c.source); err != nil && c.source.MaxRecordBytes > 0 {
		bad("scan_severities, vpc_flow_fields", "%w", err) // the others were checked
	}
	if c.suppressions != "" && c.reloadInterval <= 0 {
		bad("suppressions_reload_interval", "%v, want more than 0", c.reloadInterval)
	}
	switch c.output {
	case "":
		bad("output", "required, want one of %s, %s, %s", outputS3, outputDirectory, outputSyslog)
	case outputS3:
		if c.s3.Bucket == "" {
			bad("bucket", "required with output %s", outputS3)
		}
		c.s3.Endpoint = c.endpoint
		for _, m := range c.s3.Mistakes() {
			bad(strings.ReplaceAll(m.Key, ".", "_"), "%s", m.Text)
		}
	case outputDirectory:
		if c.directory == "" {
			bad("directory", "required with output %s", outputDirectory)
		}
	case outputSyslog:
		if c.endpoint != "" && len(c.endpoints) > 0 {
			bad("endpoints", "use either endpoint or endpoints")
		}
		errs = append(errs, c.validateSyslog()...)
	}
	if len(c.root) > objectstore.MaxRootBytes {
		bad("root", "%d bytes, want at most %d", len(c.root), objectstore.MaxRootBytes)
	}
	return errs
}

func (c *config) validateSyslog() []error {
	writer := c.writer()
	errs := []error{writer.Validate(), encodings.Check(c.encoding, c.encoder)}
	var err error
	if c.header.Facility, err = syslog.Facility(c.facility); err != nil {
		errs = append(errs, fmt.Errorf("facility: %w", err))
	}
	if c.header.Hostname == "" {
		c.header.Hostname = syslog.OwnHostname(c.header.Format)
	}
	return append(errs, c.header.Validate(), syslog.CheckLength(c.maxLength, c.network, &c.header), c.tls.validate(c.network))
}

// maxDelay is the longest wait to connect again. The host has a wait of its own between two tries of a chunk, and flushes stand in
// a queue behind one that waits: with 5 s, a host with some dozens of chunks took minutes to end while the SIEM was away.
const maxDelay = 250 * time.Millisecond

// writer is the core's configuration of connections, without TLS. A peer that takes nothing for its timeout is left, which
// is mostly long before the flush must end.
func (c *config) writer() syslog.WriterConfig {
	endpoints := c.endpoints
	if len(endpoints) == 0 {
		endpoints = []string{c.endpoint}
	}
	return syslog.WriterConfig{
		Network: c.network, Endpoints: endpoints, Failback: c.failback, Framing: c.framing, Timeout: min(c.timeout, syslog.DefaultTimeout),
		MaxDelay: maxDelay,
	}
}

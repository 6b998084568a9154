package plugin

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/pipe"
	"github.com/siempipe/siempipe/internal/format"
)

// Key is one key of the configuration. The host compares names without case.
type Key struct {
	Name    string
	Outputs []string // to which outputs it belongs; none is all of them
	Allowed []string // the values of an enumeration
	Default string   // as a user would write it
	Meaning string
	to      func(*config) any // where the value goes; its type is the key's
}

var (
	forStore  = []string{outputS3, outputDirectory}
	forS3     = []string{outputS3}
	forDir    = []string{outputDirectory}
	forSyslog = []string{outputSyslog}
)

// Keys are all keys, in the order of the documentation, which is made from them.
var Keys = []Key{
	{Name: "output", Allowed: []string{outputS3, outputDirectory, outputSyslog}, Meaning: "Where records go. Required.", to: func(c *config) any { return &c.output }},
	{Name: "timeout", Default: "30s", Meaning: "Longest time of one flush. What is not delivered by then is retried.", to: func(c *config) any { return &c.timeout }},

	{Name: "format", Allowed: append([]string{format.Auto}, format.Names()...), Default: format.Auto, Meaning: "Source format of the records; `auto` claims each for exactly one. `siem.format` in a record's metadata wins.", to: func(c *config) any { return &c.source.Format }},
	{Name: "record_key", Meaning: "Key that holds the record: a line of text, JSON or an object. None: `log`; `message` where it stands alone or holds JSON or a pipe line; else the whole record.", to: func(c *config) any { return &c.recordKey }},
	{Name: "exclude_dismissed", Default: "true", Meaning: "Drop dismissed and ignored findings.", to: func(c *config) any { return &c.exclude.Dismissed }},
	{Name: "exclude_snoozed", Default: "true", Meaning: "Drop findings that are snoozed at the time of the flush.", to: func(c *config) any { return &c.exclude.Snoozed }},
	{Name: "exclude_resolved", Default: "false", Meaning: "Drop resolved findings.", to: func(c *config) any { return &c.exclude.Resolved }},
	{Name: "suppressions_file", Meaning: "Findings to drop by rules, see the siem processor.", to: func(c *config) any { return &c.suppressions }},
	{Name: "suppressions_reload_interval", Default: "10s", Meaning: "How often the file is looked at, when there are records.", to: func(c *config) any { return &c.reloadInterval }},
	{Name: "on_invalid", Allowed: []string{invalidKeep, invalidDrop}, Default: invalidKeep, Meaning: "What becomes of records that cannot be parsed or fail their schema.", to: func(c *config) any { return &c.onInvalid }},
	{Name: "tenant_id", Meaning: "Tenant of records that name none; starts with `id`.", to: func(c *config) any { return &c.source.TenantID }},
	{Name: "source_id", Meaning: "`p_source_id` of log records.", to: func(c *config) any { return &c.source.SourceID }},
	{Name: "source_label", Meaning: "`p_source_label` of log records.", to: func(c *config) any { return &c.source.SourceLabel }},
	{Name: "scans_as_findings", Default: "false", Meaning: "Turn Perception Point scans into findings.", to: func(c *config) any { return &c.source.ScansAsFindings }},
	{Name: "scan_severities", Meaning: "Severities of Perception Point verdicts where they differ from the default, `verdict=severity,verdict=severity`; see the siem processor.", to: func(c *config) any { return &c.source.VerdictSeverities }},
	{Name: "vpc_flow_fields", Meaning: "Names of the fields of VPC flow logs, with blanks between them, where lines come without a header; none is version 2.", to: func(c *config) any { return &c.source.VPCFlowFields }},
	{Name: "max_record_bytes", Default: strconv.Itoa(format.DefaultMaxRecordBytes), Meaning: "Longest record that is parsed; longer ones are `invalid`.", to: func(c *config) any { return &c.source.MaxRecordBytes }},

	{Name: "bucket", Outputs: forS3, Meaning: "Name or access point ARN of the bucket. Required.", to: func(c *config) any { return &c.s3.Bucket }},
	{Name: "region", Outputs: forS3, Meaning: "None: the environment's or the profile's.", to: func(c *config) any { return &c.s3.Region }},
	{Name: "endpoint", Outputs: []string{outputS3, outputSyslog}, Meaning: "S3: URL of another store than AWS's. Syslog: `host:port`, `[address]:port` for IPv6, or the path of a unix socket; required.", to: func(c *config) any { return &c.endpoint }},
	{Name: "force_path_style", Outputs: forS3, Default: "false", Meaning: "Bucket in the path instead of the host name.", to: func(c *config) any { return &c.s3.ForcePathStyle }},
	{Name: "role_arn", Outputs: forS3, Meaning: "Role to take on. Credentials come from the environment, web identity, profile or instance.", to: func(c *config) any { return &c.s3.RoleARN }},
	{Name: "external_id", Outputs: forS3, Meaning: "External ID of the role.", to: func(c *config) any { return &c.s3.ExternalID }},
	{Name: "session_name", Outputs: forS3, Meaning: "Session name of the role.", to: func(c *config) any { return &c.s3.SessionName }},
	{Name: "acl", Outputs: forS3, Default: "bucket-owner-full-control", Meaning: "Canned ACL; Panoptica's access policy asks for the default.", to: func(c *config) any { return &c.s3.ACL }},
	{Name: "server_side_encryption_type", Outputs: forS3, Allowed: []string{"AES256", "aws:kms"}, Meaning: "Encryption at rest; none is the bucket's.", to: func(c *config) any { return &c.s3.SSEType }},
	{Name: "server_side_encryption_kms_key_id", Outputs: forS3, Meaning: "Key for `aws:kms`; none is the account's.", to: func(c *config) any { return &c.s3.SSEKMSKeyID }},
	{Name: "storage_class", Outputs: forS3, Meaning: "None is the bucket's.", to: func(c *config) any { return &c.s3.StorageClass }},
	{Name: "tags", Outputs: forS3, Meaning: "Object tags, `name=value,name=value`.", to: func(c *config) any { return &c.s3.Tags }},
	{Name: "expected_bucket_owner", Outputs: forS3, Meaning: "Refuse a bucket of another account than these 12 digits.", to: func(c *config) any { return &c.s3.ExpectedBucketOwner }},
	{Name: "directory", Outputs: forDir, Meaning: "Directory that holds the same tree as a bucket. Required.", to: func(c *config) any { return &c.directory }},
	{Name: "root", Outputs: forStore, Default: "Panoptica", Meaning: "First segments of every key.", to: func(c *config) any { return &c.root }},
	{Name: "event_type", Outputs: forStore, Meaning: "Event type of every key; none is each record's own.", to: func(c *config) any { return &c.eventType }},
	{Name: "partition_time", Outputs: forStore, Allowed: []string{partitionByEvent, partitionByExport}, Default: partitionByEvent, Meaning: "Day of a record: its own time (or that of its event when it has none), or that of the first flush.", to: func(c *config) any { return &c.partitionTime }},
	{Name: "compression", Outputs: forStore, Allowed: []string{"none", "gzip", "zstd"}, Default: "none", Meaning: "Sets Content-Encoding; Content-Type stays `application/x-ndjson`.", to: func(c *config) any { return &c.compression }},
	{Name: "test_message", Outputs: forStore, Allowed: []string{testOff, testOnStart}, Default: testOff, Meaning: "Store one object under `<root>/test/` at start and log how it went.", to: func(c *config) any { return &c.testMessage }},

	{Name: "endpoints", Outputs: forSyslog, Meaning: "Several instead of endpoint, `host:port,host:port`: the first is used, the others in order when those before them fail.", to: func(c *config) any { return &c.endpoints }},
	{Name: "failback_interval", Outputs: forSyslog, Default: "5m", Meaning: "How long another endpoint than the first is used before the first is tried again; 0 stays until the connection ends.", to: func(c *config) any { return &c.failback }},
	{Name: "network", Outputs: forSyslog, Allowed: []string{"tcp", "udp", "unix"}, Default: "tcp", Meaning: "`unix` takes stream and datagram sockets (`/dev/log`).", to: func(c *config) any { return &c.network }},
	{Name: "tls_insecure", Outputs: forSyslog, Default: "false", Meaning: "Plain text over `tcp`.", to: func(c *config) any { return &c.tls.insecure }},
	{Name: "tls_ca_file", Outputs: forSyslog, Meaning: "Certificate authorities of the SIEM; none is the system's.", to: func(c *config) any { return &c.tls.caFile }},
	{Name: "tls_cert_file", Outputs: forSyslog, Meaning: "Our certificate.", to: func(c *config) any { return &c.tls.certFile }},
	{Name: "tls_key_file", Outputs: forSyslog, Meaning: "Its key.", to: func(c *config) any { return &c.tls.keyFile }},
	{Name: "tls_server_name_override", Outputs: forSyslog, Meaning: "Name that is asked for and checked; none is the endpoint's host.", to: func(c *config) any { return &c.tls.serverName }},
	{Name: "tls_insecure_skip_verify", Outputs: forSyslog, Default: "false", Meaning: "Do not check the SIEM's certificate.", to: func(c *config) any { return &c.tls.skipVerify }},
	{Name: "tls_min_version", Outputs: forSyslog, Allowed: []string{"1.2", "1.3"}, Default: "1.2", Meaning: "Lowest TLS version.", to: func(c *config) any { return &c.tls.minVersion }},
	{Name: "tls_reload_interval", Outputs: forSyslog, Default: "1m", Meaning: "Read authority, certificate and key again for new connections when this long has passed; 0 never.", to: func(c *config) any { return &c.tls.reload }},
	{Name: "header", Outputs: forSyslog, Allowed: []string{"rfc5424", "rfc3164", "none"}, Default: "rfc5424", Meaning: "Header of each message. `rfc3164` has local time, as that RFC says.", to: func(c *config) any { return &c.header.Format }},
	{Name: "framing", Outputs: forSyslog, Allowed: []string{"octet_counting", "newline"}, Default: "octet_counting", Meaning: "Frame of a message in a stream (RFC 6587).", to: func(c *config) any { return &c.framing }},
	{Name: "facility", Outputs: forSyslog, Default: "local0", Meaning: "`kern`, `user`, `mail`, `daemon`, `auth`, … `local7`, or 0 to 23.", to: func(c *config) any { return &c.facility }},
	{Name: "app_name", Outputs: forSyslog, Default: "siempipe", Meaning: "APP-NAME, or TAG in RFC 3164.", to: func(c *config) any { return &c.header.AppName }},
	{Name: "hostname", Outputs: forSyslog, Meaning: "HOSTNAME; none is this host's name.", to: func(c *config) any { return &c.header.Hostname }},
	{Name: "max_message_length", Outputs: forSyslog, Default: strconv.Itoa(pipe.DefaultMaxLength), Meaning: "Longest message in bytes, header included, frame not: 256 to 1048576, UDP at most 65507.", to: func(c *config) any { return &c.maxLength }},
	{Name: "overflow", Outputs: forSyslog, Allowed: []string{encode.OverflowShorten, encode.OverflowSplit, encode.OverflowDrop}, Default: encode.OverflowShorten, Meaning: "What becomes of a longer one.", to: func(c *config) any { return &c.encoder.Overflow }},
	{Name: "escape", Outputs: forSyslog, Allowed: []string{pipe.EscapeBackslash, pipe.EscapeReplace, pipe.EscapeNone}, Default: pipe.EscapeBackslash, Meaning: "How pipes, backslashes and controls in values are written.", to: func(c *config) any { return &c.encoder.Escape }},
	{Name: "fields", Outputs: forSyslog, Meaning: "Keys of the message, chosen, renamed and ordered: `Key=from,Key`. None: the record's table.", to: func(c *config) any { return &c.encoder.Fields }},
	{Name: "include_invalid", Outputs: forSyslog, Default: "false", Meaning: "Send records of event type `invalid`, too.", to: func(c *config) any { return &c.includeInvalid }},
}

// set reads value into c. The error says what is wrong with the value and what is allowed.
func (k *Key) set(c *config, value string) error {
	if len(k.Allowed) > 0 {
		i := slices.IndexFunc(k.Allowed, func(a string) bool { return strings.EqualFold(a, value) })
		if i < 0 {
			return fmt.Errorf("%q, want one of %s", value, strings.Join(k.Allowed, ", "))
		}
		value = k.Allowed[i]
	}
	var err error
	switch to := k.to(c).(type) {
	case *string:
		*to = value
	case *bool:
		*to, err = readBool(value)
	case *int:
		if *to, err = strconv.Atoi(value); err != nil {
			err = fmt.Errorf("%q, want an integer", value)
		}
	case *time.Duration:
		*to, err = readDuration(value)
	case *map[string]string:
		*to, err = readPairs(value)
	case *[]string:
		for item := range strings.SplitSeq(value, ",") {
			*to = append(*to, strings.TrimSpace(item))
		}
	case *[]encode.Field:
		*to = readFields(value)
	default:
		err = errors.New("has no type") // a test reads every key
	}
	return err
}

// Type is what the documentation says of a value.
func (k *Key) Type() string {
	if len(k.Allowed) > 0 {
		return "`" + strings.Join(k.Allowed, "`, `") + "`"
	}
	switch k.to(new(config)).(type) {
	case *bool:
		return "bool"
	case *int:
		return "integer"
	case *time.Duration:
		return "duration"
	case *map[string]string, *[]string, *[]encode.Field:
		return "list"
	}
	return "string"
}

// readBool takes the words that Fluent Bit takes.
func readBool(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "true", "on", "yes":
		return true, nil
	case "false", "off", "no":
		return false, nil
	}
	return false, fmt.Errorf("%q, want true, on, yes or false, off, no", value)
}

// readDuration takes a number with its unit, or seconds as Fluent Bit writes them.
func readDuration(value string) (time.Duration, error) {
	if n, err := strconv.Atoi(value); err == nil && n >= 0 && n < 1<<31 {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q, want a time such as 30s, 500ms or 5m", value)
	}
	return d, nil
}

func readPairs(value string) (map[string]string, error) {
	pairs := make(map[string]string)
	for item := range strings.SplitSeq(value, ",") {
		name, text, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q, want name=value,name=value", value)
		}
		if _, ok := pairs[name]; ok {
			return nil, fmt.Errorf("%q, names %s twice", value, name)
		}
		pairs[name] = text
	}
	return pairs, nil
}

func readFields(value string) []encode.Field {
	var fields []encode.Field
	for item := range strings.SplitSeq(value, ",") {
		key, from, _ := strings.Cut(strings.TrimSpace(item), "=")
		fields = append(fields, encode.Field{Key: key, From: from})
	}
	return fields
}

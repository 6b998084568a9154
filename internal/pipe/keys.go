package pipe

import (
	"github.com/siempipe/siempipe/internal/record"
)

// Keys of the vendor's line, in the order of its only published example. Action and Verdict Messages are documented but
// not in the example; they stand where their neighbours in the documentation put them.
// Source: https://docs.perception-point.io/WP/Content/PP/SIEM.htm
const (
	KeyDatetime        = "datetime"
	KeyScanID          = "Scan ID"
	KeyEvent           = "Event"
	KeyIPAddress       = "IP Address"
	KeySubject         = "Subject"
	KeyName            = "Name"
	KeyURL             = "URL"
	KeyMessageID       = "Message ID"
	KeyTo              = "To"
	KeyFrom            = "From"
	KeyLayers          = "Layers"
	KeyVerdict         = "Verdict"
	KeyAction          = "Action"
	KeySample          = "Sample"
	KeyVerdictMessages = "Verdict Messages"
)

// KeyPart numbers the parts of a message that was split: "Part:1/3".
const KeyPart = "Part"

// Values of the Event key.
const (
	EventEmail = "Email Scanned"
	EventFile  = "File Scanned"
	EventURL   = "URL Scanned"
)

// Class says what may happen to a value when its message is too long.
type Class uint8

const (
	// Text is free text: shortened first, the longest value before the others.
	Text Class = iota
	// Detail is shortened only when all Text is down to a few bytes. A mail's Message ID belongs here and not to the ids:
	// its sender chooses it, and a sender must not be able to make a message too long to be sent.
	Detail
	// Code is never touched and never divided: Event, verdict, action, severity.
	Code
	// Identity is Code that every part of a split message repeats.
	Identity
)

// Row is one key of a table.
type Row struct {
	Key string
	// From is where the value comes from, alternatives separated by a pipe and the first that is there taken: the name of
	// a member of the body, "a.b" for a member of a member, or a fact of the record: @time and @received (epoch seconds,
	// a fraction only where there is one), @event_type, @account_id, @tenant_id, @format, @id, @severity, @error, @body.
	From  string
	Class Class
}

// Table is the keys of one kind of record, in the order in which they are written.
type Table struct {
	Name string
	Doc  string
	Rows []Row
}

// Tables are all tables; documentation is generated from them.
var Tables = []Table{emailScan, fileScan, urlScan, findings, logRecords, invalidRecords, otherScan}

var emailScan = Table{Name: record.EmailScan, Doc: "Perception Point e-mail scans", Rows: []Row{
	{KeyDatetime, "datetime|@time", Identity},
	{KeyScanID, "Scan ID|@id", Identity},
	{KeyEvent, "Event", Code},
	{KeyIPAddress, "IP Address", Detail},
	{KeySubject, "Subject", Text},
	{KeyMessageID, "Message ID", Detail},
	{KeyTo, "To", Text},
	{KeyFrom, "From", Text},
	{KeyLayers, "Layers", Text},
	{KeyVerdict, "Verdict", Code},
	{KeyAction, "Action", Code},
	{KeySample, "Sample", Detail},
	{KeyVerdictMessages, "Verdict Messages", Text},
	{"Ambiguous", "ambiguous", Code},
	{"Truncated", "truncated", Code},
}}

var fileScan = Table{Name: record.FileScan, Doc: "Perception Point file scans", Rows: []Row{
	{KeyDatetime, "datetime|@time", Identity},
	{KeyScanID, "Scan ID|@id", Identity},
	{KeyEvent, "Event", Code},
	{KeyName, "Name", Text},
	{KeyFrom, "From", Text},
	{KeyLayers, "Layers", Text},
	{KeyVerdict, "Verdict", Code},
	{KeyAction, "Action", Code},
	{KeySample, "Sample", Detail},
	{KeyVerdictMessages, "Verdict Messages", Text},
	{"Ambiguous", "ambiguous", Code},
	{"Truncated", "truncated", Code},
}}

var urlScan = Table{Name: record.URLScan, Doc: "Perception Point URL scans", Rows: []Row{
	{KeyDatetime, "datetime|@time", Identity},
	{KeyScanID, "Scan ID|@id", Identity},
	{KeyEvent, "Event", Code},
	{KeyURL, "URL", Text},
	{KeyFrom, "From", Text},
	{KeyLayers, "Layers", Text},
	{KeyVerdict, "Verdict", Code},
	{KeyAction, "Action", Code},
	{KeySample, "Sample", Detail},
	{KeyVerdictMessages, "Verdict Messages", Text},
	{"Ambiguous", "ambiguous", Code},
	{"Truncated", "truncated", Code},
}}

// otherScan has every key of the three, for a scan that does not say which it is, or says a kind that is new.
var otherScan = Table{Name: "other_scan", Doc: "Perception Point scans of an unknown kind", Rows: []Row{
	{KeyDatetime, "datetime|@time", Identity},
	{KeyScanID, "Scan ID|@id", Identity},
	{KeyEvent, "Event", Code},
	{KeyIPAddress, "IP Address", Detail},
	{KeySubject, "Subject", Text},
	{KeyName, "Name", Text},
	{KeyURL, "URL", Text},
	{KeyMessageID, "Message ID", Detail},
	{KeyTo, "To", Text},
	{KeyFrom, "From", Text},
	{KeyLayers, "Layers", Text},
	{KeyVerdict, "Verdict", Code},
	{KeyAction, "Action", Code},
	{KeySample, "Sample", Detail},
	{KeyVerdictMessages, "Verdict Messages", Text},
	{"Ambiguous", "ambiguous", Code},
	{"Truncated", "truncated", Code},
}}

var findings = Table{Name: "finding", Doc: "Findings: event types security_finding, attack_path and other", Rows: []Row{
	{KeyDatetime, "@time", Identity},
	{"Alert ID", "alert_id|@id", Identity},
	{KeyEvent, "@event_type", Code},
	{"Severity", "severity|@severity", Code},
	{"Detection Type", "detection_type", Code},
	{"Attack Scenario", "attack_scenario", Text},
	{"Risk Category", "risk_category", Detail},
	{"Risk Score", "risk_params.risk_score", Code},
	{"Provider", "provider", Detail},
	{"Account", "account_id|@account_id", Detail},
	{"Tenant", "tenant_id|@tenant_id", Detail},
	{"Asset ID", "asset_id", Detail},
	{"Resource Type", "resource_type", Detail},
	{"Resources", "related_resources", Text},
	{"Labels", "labels", Text},
	{"Description", "description", Text},
	{"Resolved", "resolved", Detail},
	{"First Seen", "first_seen_timestamp", Detail},
	{"Last Seen", "detection_timestamp", Detail},
}}

var logRecords = Table{Name: "log", Doc: "Log records: every event type that is a log type, such as AWS.CloudTrail", Rows: []Row{
	{KeyDatetime, "@time", Identity},
	{"Row ID", "p_row_id|@id", Identity},
	{KeyEvent, "p_log_type|@event_type", Code},
	{"Account", "@account_id", Detail},
	{"Tenant", "@tenant_id", Detail},
	{"Source", "p_source_label|p_source_id", Detail},
	{"Parsed", "p_parse_time", Detail},
	{"Action", "eventName|operationName|methodName|action", Code},
	{"Service", "eventSource|serviceName", Detail},
	{"Region", "awsRegion|region|location", Detail},
	{"Error", "errorCode", Detail},
	{"IP Addresses", "p_any_ip_addresses", Detail},
	{"Domains", "p_any_domain_names", Text},
	{"Usernames", "p_any_usernames", Text},
	{"Emails", "p_any_emails", Text},
	{"ARNs", "p_any_aws_arns", Text},
	{"Account IDs", "p_any_aws_account_ids", Text},
	{"Instance IDs", "p_any_aws_instance_ids", Text},
	{"Tags", "p_any_aws_tags", Text},
	{"Trace IDs", "p_any_trace_ids", Text},
	{"SHA256", "p_any_sha256_hashes", Text},
	{"MD5", "p_any_md5_hashes", Text},
	{"SHA1", "p_any_sha1_hashes", Text},
}}

var invalidRecords = Table{Name: record.Invalid, Doc: "Invalid records, sent only with include_invalid", Rows: []Row{
	{KeyDatetime, "@received", Identity},
	{KeyEvent, "@event_type", Code},
	{"Format", "format|@format", Code},
	{"Error", "error|@error", Detail},
	{"Raw", "raw|raw_base64", Text},
}}

// TableFor is the table for records of one event type and source format.
func TableFor(eventType, format string) *Table { return &Tables[tableIndex(eventType, format)] }

// tableIndex returns the place in Tables of the table for an event type. The format tells scans of an unknown kind from
// findings, which both have event type other.
func tableIndex(eventType, format string) int {
	switch eventType {
	case record.EmailScan:
		return 0
	case record.FileScan:
		return 1
	case record.URLScan:
		return 2
	case record.Other:
		if format == "perception_point" || format == "perception_point_syslog" {
			return 6
		}
		return 3
	case record.SecurityFinding, record.AttackPath:
		return 3
	case record.Invalid:
		return 5
	}
	return 4
}

// row finds a row by its key.
func (t *Table) row(key string) *Row {
	for i := range t.Rows {
		if t.Rows[i].Key == key {
			return &t.Rows[i]
		}
	}
	return nil
}

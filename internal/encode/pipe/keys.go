package pipe

import (
	pp "github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
)

// KeyPart numbers the parts of a message that was split: "Part:1/3".
const KeyPart = "Part"

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
	Doc   string // what the value is, for docs/pipe-messages.md
}

// Table is the keys of one kind of record, in the order in which they are written.
type Table struct {
	Name string
	Doc  string
	Rows []Row
}

// Tables are all tables; documentation is generated from them.
var Tables = []Table{emailScan, fileScan, urlScan, findings, logRecords, invalidRecords, otherScan}

// Rows of scans.
var (
	rowDatetime        = Row{pp.KeyDatetime, "datetime|@time", Identity, "when the scan was made: decimal seconds since 1970 UTC, with the digits that the source gave"}
	rowScanID          = Row{pp.KeyScanID, "Scan ID|@id", Identity, "environment code, `_` and the scan's id"}
	rowEvent           = Row{pp.KeyEvent, "Event", Code, "`" + pp.EventEmail + "`, `" + pp.EventFile + "` or `" + pp.EventURL + "`"}
	rowIPAddress       = Row{pp.KeyIPAddress, "IP Address", Detail, "address that the mail came from"}
	rowSubject         = Row{pp.KeySubject, "Subject", Text, "subject of the mail; chosen by its sender"}
	rowName            = Row{pp.KeyName, "Name", Text, "name of the file; chosen by whoever made it"}
	rowURL             = Row{pp.KeyURL, "URL", Text, "the URL; chosen by whoever made it"}
	rowMessageID       = Row{pp.KeyMessageID, "Message ID", Detail, "Message-ID of the mail; chosen by its sender"}
	rowTo              = Row{pp.KeyTo, "To", Text, "recipients, separated by commas"}
	rowFrom            = Row{pp.KeyFrom, "From", Text, "sender; chosen by the sender"}
	rowLayers          = Row{pp.KeyLayers, "Layers", Text, "layers of the scan, separated by commas; may be empty"}
	rowVerdict         = Row{pp.KeyVerdict, "Verdict", Code, "`MAL`, `SUS`, `CLN`, `BLK`, `SPM`, another code of the vendor's, or `unknown` where it was cut off or may be forged"}
	rowAction          = Row{pp.KeyAction, "Action", Code, "`Delivered`, `Scanned` or `Quarantined`, or another word of the vendor's"}
	rowSample          = Row{pp.KeySample, "Sample", Detail, "identifier of the sample"}
	rowVerdictMessages = Row{pp.KeyVerdictMessages, "Verdict Messages", Text, "warnings"}
	rowAmbiguous       = Row{"Ambiguous", "ambiguous", Code, "`true` when the vendor's line may hold forged pairs"}
	rowTruncated       = Row{"Truncated", "truncated", Code, "`true` when the vendor's line was cut at its limit"}
)

var emailScan = Table{record.EmailScan, "Perception Point e-mail scans", []Row{
	rowDatetime, rowScanID, rowEvent, rowIPAddress, rowSubject, rowMessageID, rowTo, rowFrom, rowLayers, rowVerdict, rowAction, rowSample,
	rowVerdictMessages, rowAmbiguous, rowTruncated,
}}

var fileScan = Table{record.FileScan, "Perception Point file scans", []Row{
	rowDatetime, rowScanID, rowEvent, rowName, rowFrom, rowLayers, rowVerdict, rowAction, rowSample, rowVerdictMessages, rowAmbiguous, rowTruncated,
}}

var urlScan = Table{record.URLScan, "Perception Point URL scans", []Row{
	rowDatetime, rowScanID, rowEvent, rowURL, rowFrom, rowLayers, rowVerdict, rowAction, rowSample, rowVerdictMessages, rowAmbiguous, rowTruncated,
}}

// otherScan has every key of the three, for a scan that does not say which it is, or says a kind that is new.
var otherScan = Table{"other_scan", "Perception Point scans of an unknown kind", []Row{
	rowDatetime, rowScanID, rowEvent, rowIPAddress, rowSubject, rowName, rowURL, rowMessageID, rowTo, rowFrom, rowLayers, rowVerdict, rowAction,
	rowSample, rowVerdictMessages, rowAmbiguous, rowTruncated,
}}

var findings = Table{"finding", "Findings: event types security_finding, attack_path and other", []Row{
	{pp.KeyDatetime, "@time", Identity, "when it was detected: decimal seconds since 1970 UTC"},
	{"Alert ID", "alert_id|@id", Identity, "id of the finding"},
	{pp.KeyEvent, "@event_type", Code, "`security_finding`, `attack_path` or `other`"},
	{"Severity", "severity|@severity", Code, "`Critical`, `High`, `Medium`, `Low` or `Information`"},
	{"Detection Type", "detection_type", Code, "kind of detection"},
	{"Attack Scenario", "attack_scenario", Text, "title of the finding"},
	{"Risk Category", "risk_category", Detail, "category of the risk"},
	{"Risk Score", "risk_params.risk_score", Code, "score of the risk, a number"},
	{"Provider", "provider", Detail, "cloud provider"},
	{"Account", "account_id|@account_id", Detail, "account of the provider"},
	{"Tenant", "tenant_id|@tenant_id", Detail, "tenant of the vendor"},
	{"Asset ID", "asset_id", Detail, "id of the asset"},
	{"Resource Type", "resource_type", Detail, "kind of the asset"},
	{"Resources", "related_resources", Text, "the resources of the attack path, as JSON"},
	{"Labels", "labels", Text, "labels, separated by commas"},
	{"Description", "description", Text, "description"},
	{"Resolved", "resolved", Detail, "`true` or `false`"},
	{"First Seen", "first_seen_timestamp", Detail, "RFC 3339 date-time"},
	{"Last Seen", "detection_timestamp", Detail, "RFC 3339 date-time"},
}}

var logRecords = Table{"log", "Log records: every event type that is a log type, such as AWS.CloudTrail", []Row{
	{pp.KeyDatetime, "@time", Identity, "when it happened: decimal seconds since 1970 UTC"},
	{"Row ID", "p_row_id|@id", Identity, "id of the record"},
	{pp.KeyEvent, "p_log_type|@event_type", Code, "log type"},
	{"Account", "@account_id", Detail, "account that the record is of"},
	{"Tenant", "@tenant_id", Detail, "tenant"},
	{"Source", "p_source_label|p_source_id", Detail, "source that it was read from"},
	{"Parsed", "p_parse_time", Detail, "when it was parsed"},
	{"Action", "eventName|operationName|methodName|protoPayload.methodName|operation|action", Code, "what was done"},
	{"Service", "eventSource|serviceName|protoPayload.serviceName|source", Detail, "service that did it"},
	{"Method", "requestHttpMethod|httpRequest.httpMethod|query_type|detail-type", Detail, "how it was asked for"},
	{"Object", "requestUrl|requesturi|object|query_name|httpRequest.uri|protoPayload.resourceName", Text, "what it was done to"},
	{"Status", "elbStatusCode|httpstatus|rcode|retCode|status", Detail, "how it ended"},
	{"Region", "awsRegion|region|location", Detail, "region"},
	{"Error", "errorCode|errorcode", Detail, "error that it ended with"},
	{"IP Addresses", "p_any_ip_addresses", Detail, "indicators, separated by commas"},
	{"Domains", "p_any_domain_names", Text, "indicators, separated by commas"},
	{"Usernames", "p_any_usernames", Text, "indicators, separated by commas"},
	{"Emails", "p_any_emails", Text, "indicators, separated by commas"},
	{"ARNs", "p_any_aws_arns", Text, "indicators, separated by commas"},
	{"Account IDs", "p_any_aws_account_ids", Text, "indicators, separated by commas"},
	{"Instance IDs", "p_any_aws_instance_ids", Text, "indicators, separated by commas"},
	{"Tags", "p_any_aws_tags", Text, "indicators, separated by commas"},
	{"Trace IDs", "p_any_trace_ids", Text, "indicators, separated by commas"},
	{"SHA256", "p_any_sha256_hashes", Text, "indicators, separated by commas"},
	{"MD5", "p_any_md5_hashes", Text, "indicators, separated by commas"},
	{"SHA1", "p_any_sha1_hashes", Text, "indicators, separated by commas"},
}}

var invalidRecords = Table{record.Invalid, "Invalid records, sent only with include_invalid", []Row{
	{pp.KeyDatetime, "@received", Identity, "when it was received: decimal seconds since 1970 UTC"},
	{pp.KeyEvent, "@event_type", Code, "`invalid`"},
	{"Format", "format|@format", Code, "format that it was read as"},
	{"Error", "error|@error", Detail, "what is wrong with it, and where"},
	{"Raw", "raw|raw_base64", Text, "the input; in base64 when it is not UTF-8"},
}}

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

package pipe

import (
	"github.com/siempipe/siempipe/internal/encode/pairs"
	"github.com/siempipe/siempipe/internal/format"
	pp "github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
)

// KeyPart numbers the parts of a message that was split: "Part:1/3".
const KeyPart = "Part"

// Tables are all tables; documentation is generated from them.
var Tables = []pairs.Table{emailScan, fileScan, urlScan, findings, logRecords, invalidRecords, otherScan}

// Rows of scans.
var (
	rowDatetime        = pairs.Identity(pp.KeyDatetime, "datetime|@time", "when the scan was made: decimal seconds since 1970 UTC, with the digits that the source gave")
	rowScanID          = pairs.Identity(pp.KeyScanID, "Scan ID|@id", "environment code, `_` and the scan's id")
	rowEvent           = pairs.Code(pp.KeyEvent, "Event", "`"+pp.EventEmail+"`, `"+pp.EventFile+"` or `"+pp.EventURL+"`")
	rowIPAddress       = pairs.Detail(pp.KeyIPAddress, "IP Address", "address that the mail came from")
	rowSubject         = pairs.Text(pp.KeySubject, "Subject", "subject of the mail; chosen by its sender")
	rowName            = pairs.Text(pp.KeyName, "Name", "name of the file; chosen by whoever made it")
	rowURL             = pairs.Text(pp.KeyURL, "URL", "the URL; chosen by whoever made it")
	rowMessageID       = pairs.Detail(pp.KeyMessageID, "Message ID", "Message-ID of the mail; chosen by its sender")
	rowTo              = pairs.Text(pp.KeyTo, "To", "recipients, separated by commas")
	rowFrom            = pairs.Text(pp.KeyFrom, "From", "sender; chosen by the sender")
	rowLayers          = pairs.Text(pp.KeyLayers, "Layers", "layers of the scan, separated by commas; may be empty")
	rowVerdict         = pairs.Code(pp.KeyVerdict, "Verdict", "`MAL`, `SUS`, `CLN`, `BLK`, `SPM`, another code of the vendor's, or `unknown` where it was cut off or may be forged")
	rowAction          = pairs.Code(pp.KeyAction, "Action", "`Delivered`, `Scanned` or `Quarantined`, or another word of the vendor's")
	rowSample          = pairs.Detail(pp.KeySample, "Sample", "identifier of the sample")
	rowVerdictMessages = pairs.Text(pp.KeyVerdictMessages, "Verdict Messages", "warnings")
	rowAmbiguous       = pairs.Code("Ambiguous", "ambiguous", "`true` when the vendor's line may hold forged pairs")
	rowTruncated       = pairs.Code("Truncated", "truncated", "`true` when the vendor's line was cut at its limit")
)

var emailScan = pairs.Table{Name: record.EmailScan, Doc: "Perception Point e-mail scans", Rows: []pairs.Row{
	rowDatetime, rowScanID, rowEvent, rowIPAddress, rowSubject, rowMessageID, rowTo, rowFrom, rowLayers, rowVerdict, rowAction, rowSample,
	rowVerdictMessages, rowAmbiguous, rowTruncated,
}}

var fileScan = pairs.Table{Name: record.FileScan, Doc: "Perception Point file scans", Rows: []pairs.Row{
	rowDatetime, rowScanID, rowEvent, rowName, rowFrom, rowLayers, rowVerdict, rowAction, rowSample, rowVerdictMessages, rowAmbiguous, rowTruncated,
}}

var urlScan = pairs.Table{Name: record.URLScan, Doc: "Perception Point URL scans", Rows: []pairs.Row{
	rowDatetime, rowScanID, rowEvent, rowURL, rowFrom, rowLayers, rowVerdict, rowAction, rowSample, rowVerdictMessages, rowAmbiguous, rowTruncated,
}}

// otherScan has every key of the three, for a scan that does not say which it is, or says a kind that is new.
var otherScan = pairs.Table{Name: "other_scan", Doc: "Perception Point scans of an unknown kind", Rows: []pairs.Row{
	rowDatetime, rowScanID, rowEvent, rowIPAddress, rowSubject, rowName, rowURL, rowMessageID, rowTo, rowFrom, rowLayers, rowVerdict, rowAction,
	rowSample, rowVerdictMessages, rowAmbiguous, rowTruncated,
}}

var findings = pairs.Table{Name: "finding", Doc: "Findings: event types security_finding, attack_path and other", Rows: []pairs.Row{
	pairs.Identity(pp.KeyDatetime, "@time", "when it was detected: decimal seconds since 1970 UTC"),
	pairs.Identity("Alert ID", "alert_id|@id", "id of the finding"),
	pairs.Code(pp.KeyEvent, "@event_type", "`security_finding`, `attack_path` or `other`"),
	pairs.Code("Severity", "severity|@severity", "`Critical`, `High`, `Medium`, `Low` or `Information`"),
	pairs.Code("Detection Type", "detection_type", "kind of detection"),
	pairs.Text("Attack Scenario", "attack_scenario", "title of the finding"),
	pairs.Detail("Risk Category", "risk_category", "category of the risk"),
	pairs.Code("Risk Score", "risk_params.risk_score", "score of the risk, a number"),
	pairs.Detail("Provider", "provider", "cloud provider"),
	pairs.Detail("Account", "account_id|@account_id", "account of the provider"),
	pairs.Detail("Tenant", "tenant_id|@tenant_id", "tenant of the vendor"),
	pairs.Detail("Asset ID", "asset_id", "id of the asset"),
	pairs.Detail("Resource Type", "resource_type", "kind of the asset"),
	pairs.Text("Resources", "related_resources", "the resources of the attack path, as JSON"),
	pairs.Text("Labels", "labels", "labels, separated by commas"),
	pairs.Text("Description", "description", "description"),
	pairs.Detail("Resolved", "resolved", "`true` or `false`"),
	pairs.Detail("First Seen", "first_seen_timestamp", "RFC 3339 date-time"),
	pairs.Detail("Last Seen", "detection_timestamp", "RFC 3339 date-time"),
}}

var logRecords = pairs.Table{Name: "log", Doc: "Log records: every event type that is a log type, such as AWS.CloudTrail", Rows: []pairs.Row{
	pairs.Identity(pp.KeyDatetime, "@time", "when it happened: decimal seconds since 1970 UTC"),
	pairs.Identity("Row ID", "p_row_id|@id", "id of the record"),
	pairs.Code(pp.KeyEvent, "p_log_type|@event_type", "log type"),
	pairs.Detail("Account", "@account_id", "account that the record is of"),
	pairs.Detail("Tenant", "@tenant_id", "tenant"),
	pairs.Detail("Source", "p_source_label|p_source_id", "source that it was read from"),
	pairs.Detail("Parsed", "p_parse_time", "when it was parsed"),
	pairs.Code("Action", "eventName|operationName|methodName|protoPayload.methodName|operation|action", "what was done"),
	pairs.Detail("Service", "eventSource|serviceName|protoPayload.serviceName|source", "service that did it"),
	pairs.Detail("Method", "requestHttpMethod|httpRequest.httpMethod|query_type|detail-type", "how it was asked for"),
	pairs.Text("Object", "requestUrl|requesturi|object|query_name|httpRequest.uri|protoPayload.resourceName", "what it was done to"),
	pairs.Detail("Status", "elbStatusCode|httpstatus|rcode|retCode|status", "how it ended"),
	pairs.Detail("Region", "awsRegion|region|location", "region"),
	pairs.Detail("Error", "errorCode|errorcode", "error that it ended with"),
	pairs.Detail("IP Addresses", "p_any_ip_addresses", "indicators, separated by commas"),
	pairs.Text("Domains", "p_any_domain_names", "indicators, separated by commas"),
	pairs.Text("Usernames", "p_any_usernames", "indicators, separated by commas"),
	pairs.Text("Emails", "p_any_emails", "indicators, separated by commas"),
	pairs.Text("ARNs", "p_any_aws_arns", "indicators, separated by commas"),
	pairs.Text("Account IDs", "p_any_aws_account_ids", "indicators, separated by commas"),
	pairs.Text("Instance IDs", "p_any_aws_instance_ids", "indicators, separated by commas"),
	pairs.Text("Tags", "p_any_aws_tags", "indicators, separated by commas"),
	pairs.Text("Trace IDs", "p_any_trace_ids", "indicators, separated by commas"),
	pairs.Text("SHA256", "p_any_sha256_hashes", "indicators, separated by commas"),
	pairs.Text("MD5", "p_any_md5_hashes", "indicators, separated by commas"),
	pairs.Text("SHA1", "p_any_sha1_hashes", "indicators, separated by commas"),
}}

var invalidRecords = pairs.Table{Name: record.Invalid, Doc: "Invalid records, sent only with include_invalid", Rows: []pairs.Row{
	pairs.Identity(pp.KeyDatetime, "@received", "when it was received: decimal seconds since 1970 UTC"),
	pairs.Code(pp.KeyEvent, "@event_type", "`invalid`"),
	pairs.Code("Format", "format|@format", "format that it was read as"),
	pairs.Detail("Error", "error|@error", "what is wrong with it, and where"),
	pairs.Text("Raw", "raw|raw_base64", "the input; in base64 when it is not UTF-8"),
}}

// tableOf returns the place in Tables of the table for a record. The format tells scans of an unknown kind from findings, which
// both have event type other.
func tableOf(rec *record.Record) int {
	switch rec.EventType {
	case record.EmailScan:
		return 0
	case record.FileScan:
		return 1
	case record.URLScan:
		return 2
	case record.Other:
		if format.IsScan(rec.Format) {
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

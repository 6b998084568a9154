// Package record holds what every part of siempipe says about one record: the canonical body and the few facts that
// filters, partitions, encoders and destinations need, so that none of them reads the body again.
//
// It imports nothing of the Collector or of Fluent Bit.
package record

import "time"

// Event types beside the log types (AWS.CloudTrail, ...), which are event types of their own.
// They name the second segment of an object key.
const (
	SecurityFinding = "security_finding"
	AttackPath      = "attack_path"
	Other           = "other"
	EmailScan       = "email_scan"
	FileScan        = "file_scan"
	URLScan         = "url_scan"
	Invalid         = "invalid"
	// Scan is an event that says how far a scan is: {"scan_id","status"}. Only a finding_state processor reads it.
	Scan = "scan"
)

// FormatDetection is the format of findings that the detection processor makes: no source writes it.
const FormatDetection = "detection"

// Attribute names of a record inside the Collector; the contract with everything behind the siem processor.
const (
	AttrEventType = "siem.event_type"
	AttrAccountID = "siem.account_id"
	AttrTenantID  = "siem.tenant_id"
	AttrFormat    = "siem.format"
	AttrID        = "siem.id"
	AttrError     = "siem.error"
	// AttrFields is the header line that a line of text stands under, set by receivers of whole files: the names of a flow
	// log's fields. The siem processor reads it and takes it away.
	AttrFields = "siem.fields"
	// AttrOrigin says where a record stands, the same whenever it is read: address of the object and offset in it. It goes
	// into p_row_id, so that two equal lines of one file are two rows.
	AttrOrigin = "siem.origin"
	// AttrScanID and AttrScanStatus carry what a scan envelope says of all its findings.
	AttrScanID     = "siem.scan_id"
	AttrScanStatus = "siem.scan_status"
	// AttrSuppressed names the suppression that holds for a finding, where those go on marked. Only a finding_state processor reads it.
	AttrSuppressed = "siem.suppressed"
	// AttrChange and AttrChangedFields are what the finding_state processor says is new about a finding.
	AttrChange        = "siem.change"
	AttrChangedFields = "siem.changed_fields"
)

// Record is one record after parsing. Its strings may be substrings of the raw input (they keep it alive); all are
// valid for as long as they are held. The zero value is an empty record; a Record is not safe for concurrent writing.
type Record struct {
	// Body is the canonical JSON object: compact, without a raw newline, unknown source fields kept.
	Body string
	// Time is when the event happened (detection_timestamp, p_event_time, datetime); zero when the record does not say.
	Time time.Time
	// Received is when siempipe took the record in. It stands in for Time in object keys.
	Received time.Time
	Severity Severity

	EventType string
	AccountID string // empty when unknown
	TenantID  string // empty when unknown
	Format    string // name of the source format that parsed it
	ID        string // alert_id, Scan ID or p_row_id; the same again on replay
	Error     string // only when EventType is Invalid

	Disposition Disposition
}

// EventTime is Time, or Received when the record has no time of its own.
func (r *Record) EventTime() time.Time {
	if r.Time.IsZero() {
		return r.Received
	}
	return r.Time
}

// Disposition is what people decided about a finding, in whichever spelling the source wrote it.
type Disposition struct {
	Dismissed bool
	Resolved  bool
	// Snoozed without SnoozedUntil holds until it is taken back.
	Snoozed      bool
	SnoozedUntil time.Time
}

// SnoozedAt reports whether the record is snoozed at now: a snooze ends by itself at its time.
func (d Disposition) SnoozedAt(now time.Time) bool {
	return d.Snoozed && (d.SnoozedUntil.IsZero() || now.Before(d.SnoozedUntil))
}

// Severity is a finding's severity in the order of the Panoptica SIEM schema.
type Severity uint8

// SeverityUnknown is the zero value: a record without a severity.
const (
	SeverityUnknown Severity = iota
	SeverityInformation
	SeverityLow
	SeverityMedium
	SeverityHigh
	SeverityCritical
)

var severityNames = [...]string{"", "Information", "Low", "Medium", "High", "Critical"}

// String is the schema's spelling, "" when unknown.
func (s Severity) String() string {
	if int(s) >= len(severityNames) {
		return ""
	}
	return severityNames[s]
}

package process

// Reasons for which a record is dropped; values of the reason attribute of metrics.
const (
	ReasonDismissed  = "dismissed"
	ReasonSnoozed    = "snoozed"
	ReasonResolved   = "resolved"
	ReasonSuppressed = "suppressed"
	ReasonInvalid    = "invalid"
	ReasonEmpty      = "empty"      // blanks only, or a file without a record
	ReasonHeader     = "header"     // the names of a flow log's fields, which is no record
	ReasonScanEvent  = "scan_event" // only a finding_state processor has a use for it
)

// Package perceptionpoint knows Perception Point's words: the keys of its syslog line, its events and verdicts, its times, and how
// its line is read, in which any value may come from an attacker.
//
// Vendor's documentation: https://docs.perception-point.io/WP/Content/PP/SIEM.htm
package perceptionpoint

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

// Values of the Event key.
const (
	EventEmail = "Email Scanned"
	EventFile  = "File Scanned"
	EventURL   = "URL Scanned"
)

// Verdict codes. The line documents MAL, SUS and CLN, the API all five.
const (
	VerdictMalicious  = "MAL"
	VerdictRestricted = "BLK"
	VerdictSuspicious = "SUS"
	VerdictSpam       = "SPM"
	VerdictClean      = "CLN"
	// VerdictUnknown is what Parse puts in the place of a verdict that was cut off or that an attacker may have written.
	VerdictUnknown = "unknown"
)

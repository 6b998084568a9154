package syslog

import "github.com/siempipe/siempipe/internal/record"

// Severities is the severity of a message for each severity of its record, by the record's. Scans have theirs from their
// verdict. A record whose severity is unknown is above Informational: a scan whose verdict was cut off must not look like a
// clean one.
var Severities = [...]Severity{
	record.SeverityUnknown:     Notice,
	record.SeverityInformation: Informational,
	record.SeverityLow:         Notice,
	record.SeverityMedium:      Warning,
	record.SeverityHigh:        Error,
	record.SeverityCritical:    Critical,
}

// SeverityOf looks a record's severity up in Severities.
func SeverityOf(s record.Severity) Severity {
	if int(s) < len(Severities) {
		return Severities[s]
	}
	return Notice
}

// String is the severity's name in RFC 5424.
func (s Severity) String() string {
	return [...]string{"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"}[s&7]
}

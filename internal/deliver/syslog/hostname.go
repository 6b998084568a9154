package syslog

import (
	"os"
	"strings"
)

// OwnHostname is this host's name for a header of a format, "" when no header can hold it. RFC 3164, 4.1.2
// wants it without domain.
func OwnHostname(format string) string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	if format == RFC3164 {
		name, _, _ = strings.Cut(name, ".")
	}
	if (&HeaderConfig{Format: RFC5424, Hostname: name}).Validate() != nil {
		return ""
	}
	return name
}

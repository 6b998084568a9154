package syslog

import (
	"strings"
	"time"
)

// rest3164 is " HOSTNAME TAG: ". Source: RFC 3164, 4.1.
func rest3164(c *HeaderConfig) string {
	var b strings.Builder
	b.WriteByte(' ')
	if c.Hostname == "" {
		b.WriteByte('-')
	} else {
		b.WriteString(c.Hostname)
	}
	b.WriteByte(' ')
	if c.AppName != "" {
		b.WriteString(c.AppName)
		b.WriteString(": ")
	}
	return b.String()
}

// append3164Time appends "Mmm dd hh:mm:ss": a day of one digit has a blank before it, not a zero. Source: RFC 3164, 4.1.2.
func append3164Time(dst []byte, t time.Time) []byte {
	return t.AppendFormat(dst, time.Stamp)
}

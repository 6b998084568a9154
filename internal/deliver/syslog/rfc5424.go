package syslog

import (
	"fmt"
	"strings"
	"time"

	"github.com/influxdata/go-syslog/v3/rfc5424"
)

// layout5424 is the layout in which the library writes timestamps: at most microseconds. Source: RFC 5424, 6.2.3.
const layout5424 = "2006-01-02T15:04:05.999999Z07:00"

// rest5424 is " HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA ". The library builds one header and reads it back; per
// message only PRI and timestamp differ from it. Building each header with the library took 1.7 µs and 15 allocations, this
// takes 0.25 µs and none.
func rest5424(c *HeaderConfig) (string, error) {
	probe := time.Date(2001, time.February, 3, 4, 5, 6, 789_012_000, time.UTC).Format(layout5424)
	m := &rfc5424.SyslogMessage{}
	m.SetPriority(uint8(c.Facility) << 3)
	m.SetVersion(1)
	m.SetTimestamp(probe)
	m.SetHostname(c.Hostname)
	m.SetAppname(c.AppName)
	text, err := m.String()
	if err != nil {
		return "", fmt.Errorf("header: %w", err)
	}
	if _, err := rfc5424.NewParser().Parse([]byte(text + " m")); err != nil {
		return "", fmt.Errorf("header: %q: %w", text, err)
	}
	// The builder leaves out what it does not take.
	if m.Hostname == nil && c.Hostname != "" && c.Hostname != "-" {
		return "", fmt.Errorf("hostname: %q is not a HOSTNAME of RFC 5424", c.Hostname)
	}
	if m.Appname == nil && c.AppName != "" && c.AppName != "-" {
		return "", fmt.Errorf("app_name: %q is not an APP-NAME of RFC 5424", c.AppName)
	}
	_, rest, ok := strings.Cut(text, probe)
	if !ok {
		return "", fmt.Errorf("header: %q lacks its timestamp", text)
	}
	return rest + " ", nil
}

// append5424Time appends t in UTC, or the NILVALUE for a time of which the RFC's four digits of a year cannot tell. It writes
// what layout5424 does at a third of the cost of reading a layout.
func append5424Time(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if t.IsZero() || year < 0 || year > 9999 {
		return append(dst, '-')
	}
	hour, minute, second := t.Clock()
	dst = append2(append2(dst, year/100), year%100)
	dst = append2(append(dst, '-'), int(month))
	dst = append2(append(dst, '-'), day)
	dst = append2(append(dst, 'T'), hour)
	dst = append2(append(dst, ':'), minute)
	dst = append2(append(dst, ':'), second)
	if micros := t.Nanosecond() / 1000; micros > 0 {
		dst = append2(append2(append2(append(dst, '.'), micros/10_000), micros/100%100), micros%100)
		for dst[len(dst)-1] == '0' {
			dst = dst[:len(dst)-1]
		}
	}
	return append(dst, 'Z')
}

func append2(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

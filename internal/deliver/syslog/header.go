package syslog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Formats of a header.
const (
	RFC5424 = "rfc5424"
	RFC3164 = "rfc3164"
	None    = "none" // the message alone
)

// Severity is the low three bits of a PRI. Source: RFC 5424, 6.2.1.
type Severity uint8

// Severities that messages get. Emergency (0) and Alert (1) are left out: receivers write them to every terminal.
const (
	Critical      Severity = 2
	Error         Severity = 3
	Warning       Severity = 4
	Notice        Severity = 5
	Informational Severity = 6
	Debug         Severity = 7
)

// facilities are the names by number. Source: RFC 5424, 6.2.1, with syslog.conf's names.
var facilities = [...]string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"ntp", "audit", "alert", "clock",
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

// Facility returns the number (0 to 23) of a facility's name, such as local0 or auth, or of a number in digits.
func Facility(name string) (int, error) {
	for n, s := range facilities {
		if s == name {
			return n, nil
		}
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(facilities) {
		return n, nil
	}
	return 0, fmt.Errorf("%q is neither a facility (kern, user, mail, daemon, auth, ... local7) nor 0 to 23", name)
}

// HeaderConfig is what all messages of a sender have in common.
type HeaderConfig struct {
	Format   string // RFC5424, RFC3164 or None
	Facility int    // 0 to 23
	// AppName is APP-NAME (at most 48 printable ASCII characters), or the TAG of RFC 3164 (at most 32 letters and digits,
	// and - _ . /). Empty is "-", and for RFC 3164 no tag.
	AppName string
	// Hostname is at most 255 printable ASCII characters; empty is "-".
	Hostname string
	// Location is the time zone of RFC 3164 timestamps, which do not say it; nil is the local one, as the RFC has it.
	// RFC 5424 timestamps are UTC.
	Location *time.Location
}

// Validate reports everything that is wrong with c; the messages name header, facility, app_name and hostname.
func (c *HeaderConfig) Validate() error {
	var errs []error
	appName, hostname := c.AppName, c.Hostname
	if c.Facility < 0 || c.Facility >= len(facilities) {
		errs = append(errs, fmt.Errorf("facility: %d is not 0 to 23", c.Facility))
	}
	switch c.Format {
	case RFC5424:
		errs = append(errs, check("app_name", appName, 48, printable), check("hostname", hostname, 255, printable))
	case RFC3164:
		errs = append(errs, check("app_name", appName, 32, tag), check("hostname", hostname, 255, printable))
	case None:
	default:
		errs = append(errs, fmt.Errorf("header: %q, want one of rfc5424, rfc3164, none", c.Format))
	}
	return errors.Join(errs...)
}

// Longest is the length in bytes of the longest header that a sender with this config writes.
func (c *HeaderConfig) Longest() int {
	orNil := func(s string) int { return max(1, len(s)) }
	switch c.Format {
	case RFC5424:
		return len("<191>1 2006-01-02T15:04:05.999999Z   - - - ") + orNil(c.Hostname) + orNil(c.AppName)
	case RFC3164:
		n := len("<191>"+time.Stamp+"  ") + orNil(c.Hostname)
		if c.AppName != "" {
			n += len(c.AppName) + len(": ")
		}
		return n
	}
	return 0
}

func check(key, value string, most int, allowed func(byte) bool) error {
	if len(value) > most {
		return fmt.Errorf("%s: longer than %d characters", key, most)
	}
	for i := range len(value) {
		if !allowed(value[i]) {
			r, _ := utf8.DecodeRuneInString(value[i:])
			return fmt.Errorf("%s: %q is not allowed at byte %d", key, r, i)
		}
	}
	return nil
}

// printable is PRINTUSASCII of RFC 5424: no blank.
func printable(c byte) bool { return c > 0x20 && c < 0x7F }

// tag is what receivers take as the TAG of RFC 3164; the RFC itself says letters and digits.
func tag(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_./", c) >= 0
}

// Header appends headers. It is immutable: all goroutines may use one.
type Header struct {
	format   string
	facility int
	rest     string // what follows the timestamp, the blank before the message included
	location *time.Location
}

// NewHeader returns the Header of a valid config.
func NewHeader(c HeaderConfig) (*Header, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	h := &Header{format: c.Format, facility: c.Facility, location: c.Location}
	if h.location == nil {
		h.location = time.Local
	}
	var err error
	switch c.Format {
	case RFC5424:
		h.rest, err = rest5424(&c)
	case RFC3164:
		h.rest = rest3164(&c)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Append appends the header of a message of time t, up to and including the blank before the message. It does not
// allocate when dst has room.
func (h *Header) Append(dst []byte, t time.Time, s Severity) []byte {
	if h.format == None {
		return dst
	}
	dst = append(dst, '<')
	dst = strconv.AppendUint(dst, uint64(h.facility)<<3|uint64(s&7), 10)
	dst = append(dst, '>')
	if h.format == RFC3164 {
		dst = append3164Time(dst, t.In(h.location))
	} else {
		dst = append(dst, "1 "...)
		dst = append5424Time(dst, t)
	}
	return append(dst, h.rest...)
}

package payload

import (
	"errors"
	"slices"
	"strings"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/jsonscan"
)

// Names in envelopes. A CloudTrail file is {"Records":[…]}, an Azure blob {"records":[…]}, a page of the Perception
// Point API {"count",…,"results":[…]}, what GetFindings of GuardDuty answers {"Findings":[…]}, and a scan
// {"scan_id","status","findings":[…],"attack_paths":[…]}.
var (
	// firstNames are those that an envelope begins with, as its vendor writes it or with its names sorted.
	firstNames = append([]string{"scan_id", "status", "count", "has_more", "next", "page_result_count", "messageType", "owner", "logGroup", "nextPageToken"}, format.RecordArrays...)
	// recordNames mark an object as a record, whatever it holds besides.
	recordNames = []string{"alert_id", "detection_type", "attack_scenario", "full_scan_id", "eventID", "eventVersion"}
)

// logEvents is the array whose elements are records in an envelope of their own: each has the line or object that was logged
// as the text of its message.
const logEvents = "logEvents"

// controlMessage is the messageType of what CloudWatch Logs sends to find out whether its subscriber is there. It holds no
// records.
const controlMessage = "CONTROL_MESSAGE"

// logMessage is the message of an element of logEvents; not ok where it has none, or an empty one.
func logMessage(element string) (message string, ok bool) {
	var room [8]jsonscan.Member
	members, _, err := jsonscan.Members(room[:0], element)
	if err != nil {
		return "", false
	}
	for i := range members {
		if members[i].Name == "message" {
			message = members[i].Text()
		}
	}
	return message, strings.Trim(message, blanks) != ""
}

// IsEnvelope reports whether a text begins as envelopes do, so that cutting it may find records inside.
func IsEnvelope(text string) bool {
	text = strings.TrimLeft(text, blanks)
	if !strings.HasPrefix(text, "{") {
		return false
	}
	name, ok := firstName(text)
	return ok && beginsEnvelope(name)
}

func beginsEnvelope(name string) bool { return slices.Contains(firstNames, name) }

// firstName reads the first name of the object at the start of s; not ok where it has none or one with escapes.
func firstName(s string) (name string, ok bool) {
	s = strings.TrimLeft(s[1:], " \t\r\n")
	if s == "" || s[0] != '"' {
		return "", false
	}
	end := strings.IndexAny(s[1:min(len(s), 32)], `"\`)
	if end < 0 || s[1+end] != '"' {
		return "", false
	}
	return s[1 : 1+end], true
}

// envelope cuts the object at the start of the rest: its records when it is an envelope, or else itself, as always when it
// is known to be a record.
func (c *cutter) envelope(isRecord bool) (err error) {
	var scanID, scanStatus, messageType string
	at, opened, known := 1, false, true // its first name is known if it is an array of records
	defer func() {
		c.scanID, c.scanStatus = "", ""
		if c.scanEnds && opened && scanID != "" {
			err = c.scanEnd(scanID, scanStatus, err)
		}
	}()
	for {
		m, next, err := c.member(at, known && !isRecord)
		switch {
		case isSyntax(err): // the object, or what is left of an envelope whose records are out
			scanStatus = Incomplete
			return c.broken(false)
		case err != nil:
			return err
		}
		switch {
		case m.closed:
			if opened {
				c.pos += next
				return nil
			}
			return c.emit(next)
		case m.records:
			c.pos += next // the envelope's own members so far are no record
			opened = true
			c.scanID, c.scanStatus = scanID, scanStatus
			c.messages, c.control = m.name == logEvents, messageType == controlMessage
			err := c.elements()
			c.messages, c.control = false, false
			if err != nil {
				return err
			}
			at = 0
			continue
		}
		switch m.name {
		case "scan_id":
			scanID = m.text
		case "status":
			scanStatus = m.text
		case "messageType":
			messageType = m.text
		}
		if at == 1 {
			known = beginsEnvelope(m.name)
		}
		known = known || m.name == "scan_id"
		isRecord = isRecord || !opened && slices.Contains(recordNames, m.name)
		at = next
		if opened { // nothing to go back to: let go of what is read
			c.pos += next
			at = 0
		}
	}
}

// Incomplete is the status of a scan whose envelope broke off or was broken, whatever it said itself.
const Incomplete = "incomplete"

// scanEnd hands out the end of a scan envelope, which is incomplete when it ended with an error.
func (c *cutter) scanEnd(id, status string, err error) error {
	if err != nil {
		status = Incomplete
	}
	item := Item{Index: c.count, ScanID: id, ScanStatus: status, ScanEnd: true, Offset: c.offset(0), End: c.offset(0)}
	if emitErr := c.emitItem(item); emitErr != nil && (err == nil || errors.Is(err, errEnd)) {
		return emitErr
	}
	return err
}

// envelopeMember is one member of what may be an envelope.
type envelopeMember struct {
	name    string
	text    string // of scan_id, status and messageType
	records bool   // an array of records, whose elements begin at next
	closed  bool   // no member: the object's closing brace
}

// member reads the member at offset at of the rest, blanks and a comma before it skipped, and returns the offset behind it.
// With arrays, an array of records is not read over.
func (c *cutter) member(at int, arrays bool) (m envelopeMember, next int, err error) {
	if at, err = c.peek(at); err != nil {
		return m, 0, err
	}
	if at < len(c.rest()) && c.rest()[at] == ',' {
		if at, err = c.peek(at + 1); err != nil {
			return m, 0, err
		}
	}
	switch {
	case at == len(c.rest()):
		return m, 0, errCut
	case c.rest()[at] == '}':
		return envelopeMember{closed: true}, at + 1, nil
	case c.rest()[at] != '"':
		return m, 0, errNoName
	}
	end, err := c.value(at)
	if err != nil {
		return m, 0, err
	}
	m.name = jsonscan.Unquote(c.rest()[at+1 : end-1])
	if at, err = c.peek(end); err != nil {
		return m, 0, err
	}
	if at == len(c.rest()) {
		return m, 0, errCut
	}
	if c.rest()[at] != ':' {
		return m, 0, errNoName
	}
	if at, err = c.peek(at + 1); err != nil {
		return m, 0, err
	}
	if at < len(c.rest()) && c.rest()[at] == '[' && arrays && slices.Contains(format.RecordArrays, m.name) {
		first, err := c.peek(at + 1)
		if err != nil {
			return m, 0, err
		}
		if first < len(c.rest()) && (c.rest()[first] == '{' || c.rest()[first] == ']') {
			m.records = true
			return m, at + 1, nil
		}
	}
	if end, err = c.value(at); err != nil {
		return m, 0, err
	}
	if m.name == "scan_id" || m.name == "status" || m.name == "messageType" {
		m.text = text(c.rest()[at:end])
	}
	return m, end, nil
}

// text is a string's or number's text on its own, and "" for any other value.
func text(value string) string {
	switch c := value[0]; {
	case c == '"':
		return strings.Clone(jsonscan.Unquote(value[1 : len(value)-1]))
	case c == '-' || c >= '0' && c <= '9':
		return strings.Clone(value)
	}
	return ""
}

var (
	errCut    = &jsonscan.SyntaxError{Msg: "text ends inside an object", Short: true}
	errNoName = &jsonscan.SyntaxError{Msg: "no name where one is due"}
)

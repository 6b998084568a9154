package format

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
)

// Perception Point's line: https://docs.perception-point.io/WP/Content/PP/SIEM.htm
//
// Its canonical body is an object with the vendor's keys in canonical order, values as strings, empty ones too. Where the
// line cannot be trusted, "ambiguous": true or "truncated": true follow, and "raw" with the whole line, since taking one
// of two values loses the other. In the values of a line that is not UTF-8, U+FFFD stands for each wrong byte, and "raw_base64"
// holds the whole line: whoever names an attachment must not be able to keep its verdict from arriving. Such a body is an input
// as well, so that stored records can be replayed.

// claimsPerceptionPointSyslog takes lines and the bodies made of them.
// lineNames has Scan ID or Event of a pipe line.
var lineNames = namesOf(perceptionpoint.KeyScanID + "|" + perceptionpoint.KeyEvent)

func claimsPerceptionPointSyslog(in *Input) bool {
	if !in.IsObject {
		return perceptionpoint.IsLine(in.Raw)
	}
	if !in.has(lineNames) || isAPIScan(in) {
		return false
	}
	if id := in.Get(perceptionpoint.KeyScanID); id != nil && id.Kind == jsonscan.String {
		return true
	}
	return eventTypeOfScan(text(in.Get(perceptionpoint.KeyEvent))) != record.Other
}

func parsePerceptionPointSyslog(p *Parser, in *Input, rec *record.Record) error {
	if in.IsObject && isScanFinding(in) {
		return parsePanoptica(p, in, rec)
	}
	rec.TenantID = p.opts.TenantID
	if in.IsObject {
		return parseScanBody(p, in, rec)
	}
	var room [16]perceptionpoint.Pair          // more than there are keys
	line := strings.TrimLeft(in.whole, blanks) // how long it is tells whether it was cut: blanks at its end count
	pairs, info, err := perceptionpoint.ParseLine(room[:0], line)
	if err != nil {
		return err
	}
	body := append(p.buf[:0], '{')
	var l scanLine
	for i, pair := range pairs {
		if info.NotUTF8 {
			pair.Value = string([]rune(pair.Value)) // U+FFFD for each wrong byte
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = jsonscan.AppendQuoted(body, pair.Key)
		body = append(body, ':')
		body = jsonscan.AppendQuoted(body, pair.Value)
		l.set(pair.Key, pair.Value)
	}
	if info.Ambiguous {
		body = append(body, `,"ambiguous":true`...)
	}
	if info.Truncated {
		body = append(body, `,"truncated":true`...)
	}
	if info.Ambiguous || info.Truncated {
		body = append(body, `,"raw":`...)
		body = jsonscan.AppendQuoted(body, strings.TrimRight(line, "\r\n"))
	}
	if info.NotUTF8 {
		body = append(appendMember(body, rawMember), '"')
		body = append(base64.StdEncoding.AppendEncode(body, []byte(strings.TrimRight(line, "\r\n"))), '"')
	}
	p.buf = append(body, '}')
	rec.Body = string(p.buf)
	l.fill(p, rec)
	return nil
}

// parseScanBody reads a body that parsePerceptionPointSyslog made.
func parseScanBody(p *Parser, in *Input, rec *record.Record) error {
	var l scanLine
	known := false
	for i := range in.Members {
		if m := &in.Members[i]; m.Kind == jsonscan.String {
			known = l.set(m.Key(), m.Text()) || known
		}
	}
	if !known {
		return errors.New("Scan ID: no key of a Perception Point line in the object")
	}
	rec.Body = p.rewrite(in, nil, nil)
	l.fill(p, rec)
	return nil
}

// scanLine is what a record needs of a line.
type scanLine struct {
	datetime, id, event, verdict string
	email, file, url             bool // keys that only this kind of scan has
}

// set takes one pair and reports whether its key is one of the vendor's.
func (l *scanLine) set(key, value string) bool {
	switch key {
	case perceptionpoint.KeyDatetime:
		l.datetime = value
	case perceptionpoint.KeyScanID:
		l.id = value
	case perceptionpoint.KeyEvent:
		l.event = value
	case perceptionpoint.KeyVerdict:
		l.verdict = value
	case perceptionpoint.KeySubject, perceptionpoint.KeyMessageID, perceptionpoint.KeyIPAddress, perceptionpoint.KeyTo:
		l.email = true
	case perceptionpoint.KeyName:
		l.file = true
	case perceptionpoint.KeyURL:
		l.url = true
	case perceptionpoint.KeyFrom, perceptionpoint.KeyLayers, perceptionpoint.KeyAction, perceptionpoint.KeySample, perceptionpoint.KeyVerdictMessages:
	default:
		return false
	}
	return true
}

// fill sets the facts of rec beside its body, which must be there.
func (l *scanLine) fill(p *Parser, rec *record.Record) {
	if rec.ID = l.id; rec.ID == "" { // by the pairs alone: the header and the flags are not the scan
		rec.ID = contentID(rec.Body, "ambiguous", "truncated", "raw", rawMember)
	}
	rec.EventType = eventTypeOfScan(l.event)
	if rec.EventType == record.Other {
		switch { // no event in the line, or a new one: by the keys that only one kind of scan has
		case l.email:
			rec.EventType = record.EmailScan
		case l.file:
			rec.EventType = record.FileScan
		case l.url:
			rec.EventType = record.URLScan
		}
	}
	rec.Severity = p.severity(l.verdict)
	if t, ok := perceptionpoint.ParseEpoch(l.datetime); ok {
		rec.Time = t
	}
}

// eventTypeOfScan is the event type for a value of the Event key, other for an unknown one.
func eventTypeOfScan(event string) string {
	switch event {
	case perceptionpoint.EventEmail:
		return record.EmailScan
	case perceptionpoint.EventFile:
		return record.FileScan
	case perceptionpoint.EventURL:
		return record.URLScan
	}
	return record.Other
}

package source

import (
	"errors"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/pipe"
	"github.com/siempipe/siempipe/internal/record"
)

// Perception Point's line: https://docs.perception-point.io/WP/Content/PP/SIEM.htm
//
// Its canonical body is an object with the vendor's keys in canonical order, values as strings, empty ones too. Where the
// line cannot be trusted, "ambiguous": true or "truncated": true follow, and "raw" with the whole line, since taking one
// of two values loses the other. Such a body is an input as well, so that stored records can be replayed.

// claimsPerceptionPointSyslog takes lines and the bodies made of them.
func claimsPerceptionPointSyslog(in *Input) bool {
	if !in.IsObject {
		return pipe.IsLine(in.Raw)
	}
	id, event := in.Get(pipe.KeyScanID), in.Get(pipe.KeyEvent)
	return id != nil && id.Kind == jsonscan.String && (event == nil || event.Kind == jsonscan.String) && !isAPIScan(in)
}

func parsePerceptionPointSyslog(_ *Parser, in *Input, rec *record.Record) error {
	if in.IsObject {
		return parseScanBody(in, rec)
	}
	var room [16]pipe.Pair // more than there are keys
	pairs, info, err := pipe.Parse(room[:0], in.Raw)
	if err != nil {
		return err
	}
	body := make([]byte, 0, len(in.Raw)+len(in.Raw)/2+64)
	body = append(body, '{')
	var l scanLine
	for i, p := range pairs {
		if i > 0 {
			body = append(body, ',')
		}
		body = jsonscan.AppendQuoted(body, p.Key)
		body = append(body, ':')
		body = jsonscan.AppendQuoted(body, p.Value)
		l.set(p.Key, p.Value)
	}
	if l.id == "" {
		l.id = contentID(string(body))
	}
	if info.Ambiguous {
		body = append(body, `,"ambiguous":true`...)
	}
	if info.Truncated {
		body = append(body, `,"truncated":true`...)
	}
	if info.Ambiguous || info.Truncated {
		body = append(body, `,"raw":`...)
		body = jsonscan.AppendQuoted(body, in.Raw)
	}
	rec.Body = string(append(body, '}'))
	l.fill(rec)
	return nil
}

// parseScanBody reads a body that parsePerceptionPointSyslog made.
func parseScanBody(in *Input, rec *record.Record) error {
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
	rec.Body = compactBody(in)
	if l.id == "" {
		l.id = contentID(rec.Body)
	}
	l.fill(rec)
	return nil
}

// compactBody is the input as a canonical body: itself where it has no blanks to lose.
func compactBody(in *Input) string {
	if in.Compact {
		return in.Raw
	}
	return string(jsonscan.AppendCompact(make([]byte, 0, len(in.Raw)), in.Raw))
}

// scanLine is what a record needs of a line.
type scanLine struct {
	datetime, id, event, verdict string
	email, file, url             bool // keys that only this kind of scan has
}

// set takes one pair and reports whether its key is one of the vendor's.
func (l *scanLine) set(key, value string) bool {
	switch key {
	case pipe.KeyDatetime:
		l.datetime = value
	case pipe.KeyScanID:
		l.id = value
	case pipe.KeyEvent:
		l.event = value
	case pipe.KeyVerdict:
		l.verdict = value
	case pipe.KeySubject, pipe.KeyMessageID, pipe.KeyIPAddress, pipe.KeyTo:
		l.email = true
	case pipe.KeyName:
		l.file = true
	case pipe.KeyURL:
		l.url = true
	case pipe.KeyFrom, pipe.KeyLayers, pipe.KeyAction, pipe.KeySample, pipe.KeyVerdictMessages:
	default:
		return false
	}
	return true
}

// fill sets the facts of rec beside its body.
func (l *scanLine) fill(rec *record.Record) {
	rec.ID = l.id
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
	rec.Severity = SeverityOfVerdict(l.verdict)
	if t, ok := pipe.ParseEpoch(l.datetime); ok {
		rec.Time = t
	}
}

// eventTypeOfScan is the event type for a value of the Event key, other for an unknown one.
func eventTypeOfScan(event string) string {
	switch event {
	case pipe.EventEmail:
		return record.EmailScan
	case pipe.EventFile:
		return record.FileScan
	case pipe.EventURL:
		return record.URLScan
	}
	return record.Other
}

// VerdictSeverities is the severity of each verdict, by code and by the word the vendor's documentation uses for it. Every
// other verdict has none: a new code must not look harmless.
// Source: https://docs.perception-point.io/WP/Content/PP/Verdicts.htm
var VerdictSeverities = [...]struct {
	Code, Word string
	Severity   record.Severity
}{
	{pipe.VerdictMalicious, "Malicious", record.SeverityHigh},
	{pipe.VerdictRestricted, "Restricted", record.SeverityHigh},
	{pipe.VerdictSuspicious, "Suspicious", record.SeverityMedium},
	{pipe.VerdictSpam, "Spam", record.SeverityLow},
	{pipe.VerdictClean, "Clean", record.SeverityInformation},
}

// SeverityOfVerdict looks a verdict up in VerdictSeverities.
func SeverityOfVerdict(verdict string) record.Severity {
	for i := range VerdictSeverities {
		if row := &VerdictSeverities[i]; row.Code == verdict || row.Word == verdict {
			return row.Severity
		}
	}
	return record.SeverityUnknown
}

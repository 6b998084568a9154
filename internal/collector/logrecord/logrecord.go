// Package logrecord is the bridge between the Collector's log records and the core's records. Under internal/ only this package
// and those whose names begin with otel know the Collector.
package logrecord

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/record"
)

// Raw is the body of a log record as text: a string as it is, bytes as they are (UTF-8 or not), a map or a slice as
// JSON, any other value as its text. The result is "" for an empty body. It fails only where a map holds what JSON
// cannot say (NaN, infinities).
func Raw(lr plog.LogRecord) (string, error) {
	switch body := lr.Body(); body.Type() {
	case pcommon.ValueTypeStr:
		return body.Str(), nil
	case pcommon.ValueTypeBytes:
		return string(body.Bytes().AsRaw()), nil
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		var text strings.Builder
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(body.AsRaw()); err != nil {
			return "", fmt.Errorf("body: %w", err)
		}
		return strings.TrimSuffix(text.String(), "\n"), nil
	default:
		return body.AsString(), nil
	}
}

// Read fills rec from a log record that went through the siem processor. A record that did not has an empty EventType
// and whatever Raw makes of its body.
func Read(lr plog.LogRecord, rec *record.Record) error {
	body, err := Raw(lr)
	*rec = record.Record{
		Body:     body,
		Time:     asTime(lr.Timestamp()),
		Received: asTime(lr.ObservedTimestamp()),
		Severity: severityOf(lr.SeverityNumber()),
	}
	for name, value := range lr.Attributes().All() {
		switch name {
		case record.AttrEventType:
			rec.EventType = value.AsString()
		case record.AttrAccountID:
			rec.AccountID = value.AsString()
		case record.AttrTenantID:
			rec.TenantID = value.AsString()
		case record.AttrFormat:
			rec.Format = value.AsString()
		case record.AttrID:
			rec.ID = value.AsString()
		case record.AttrError:
			rec.Error = value.AsString()
		}
	}
	return err
}

// Write puts rec into a log record: body, both timestamps, severity and attributes. What rec does not know is absent
// afterwards, also where the log record had it; other attributes stay.
func Write(rec *record.Record, lr plog.LogRecord) {
	if body := lr.Body(); body.Type() != pcommon.ValueTypeStr || body.Str() != rec.Body {
		body.SetStr(rec.Body)
	}
	lr.SetTimestamp(asTimestamp(rec.Time))
	lr.SetObservedTimestamp(asTimestamp(rec.Received))
	lr.SetSeverityNumber(severityNumbers[rec.Severity])
	lr.SetSeverityText(rec.Severity.String())

	values := [...]struct{ name, value string }{
		{record.AttrEventType, rec.EventType},
		{record.AttrAccountID, rec.AccountID},
		{record.AttrTenantID, rec.TenantID},
		{record.AttrFormat, rec.Format},
		{record.AttrID, rec.ID},
		{record.AttrError, rec.Error},
	}
	attrs := lr.Attributes()
	known, before := 0, attrs.Len()
	for _, v := range values {
		if v.value != "" {
			known++
		} else if before > 0 {
			attrs.Remove(v.name)
		}
	}
	attrs.EnsureCapacity(attrs.Len() + known) // growing one by one allocates three times
	for _, v := range values {
		if v.value != "" {
			attrs.PutStr(v.name, v.value)
		}
	}
}

// severityNumbers follows the ranges of the OpenTelemetry log data model: INFO, WARN, ERROR, FATAL.
var severityNumbers = [...]plog.SeverityNumber{
	record.SeverityUnknown:     plog.SeverityNumberUnspecified,
	record.SeverityInformation: plog.SeverityNumberInfo,
	record.SeverityLow:         plog.SeverityNumberInfo3,
	record.SeverityMedium:      plog.SeverityNumberWarn,
	record.SeverityHigh:        plog.SeverityNumberError,
	record.SeverityCritical:    plog.SeverityNumberFatal,
}

func severityOf(n plog.SeverityNumber) record.Severity {
	for s := len(severityNumbers) - 1; s > 0; s-- {
		if n >= severityNumbers[s] {
			return record.Severity(s)
		}
	}
	return record.SeverityUnknown
}

func asTime(ts pcommon.Timestamp) time.Time {
	if ts == 0 {
		return time.Time{}
	}
	return ts.AsTime()
}

// asTimestamp is 0 for a time that a timestamp cannot hold.
func asTimestamp(t time.Time) pcommon.Timestamp {
	if !record.Representable(t) {
		return 0
	}
	return pcommon.NewTimestampFromTime(t)
}

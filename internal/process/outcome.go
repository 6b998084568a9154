package process

import (
	"time"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
)

// Text is a raw text with what is known of it.
type Text struct {
	Raw string
	format.Context
	// Broken says why Raw is not a whole text. It becomes the error of an invalid record; Raw is not parsed.
	Broken string
	// Known is the record, if somebody made it before: Raw is not parsed.
	Known *record.Record
	// ScanEvent says that the sender marked the text as an event that reports the progress of a scan.
	ScanEvent bool
}

// Kind says how an outcome came from its text.
type Kind uint8

const (
	// Whole is the text itself.
	Whole Kind = iota
	// Part was cut out of a text that holds many records.
	Part
	// Finding was made from the record before it.
	Finding
)

// Outcome is what became of a text, or of one of several records in it.
type Outcome struct {
	Kind Kind
	// Record is empty when there was nothing to parse: for the reasons empty, header and scan_event. Of a scan event it has body,
	// event type and time of receipt alone.
	Record record.Record
	// Dropped is the reason why the record does not continue, "" when it does.
	Dropped string
	// Rule is the name of the suppression that matches the record.
	Rule string
	// ScanID and ScanStatus are those of a scan event, or what a scan envelope has said before the record was cut out of it.
	ScanID, ScanStatus string
}

// IsScanEvent reports whether the outcome is no record but an event that reports the progress of a scan: the text itself, or as a
// Part the end of a scan envelope.
func (o *Outcome) IsScanEvent() bool { return o.Record.EventType == record.Scan }

func (o *Outcome) setScanEvent(body, id, status string, received time.Time) {
	o.Record = record.Record{Body: body, EventType: record.Scan, Received: received}
	o.ScanID, o.ScanStatus = id, status
}

// drop says that there is no record.
func (o *Outcome) drop(reason string) { o.Record, o.Dropped = record.Record{}, reason }

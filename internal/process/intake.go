// Package intake makes records of one raw text. Mostly that is one record; a header line makes none, and a vendor's file that
// came as one text makes many. The siem processor and the Fluent Bit plugin both use it.
package process

import (
	"strings"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
)

// Parser is the part of *source.Parser that this package uses.
type Parser interface {
	ParseIn(raw string, in format.Context, rec *record.Record)
	Findings() []record.Record
	Object(rec *record.Record) (o format.Object, ok bool)
}

// Parse parses raw into rec. header says that raw is a header line, which makes no record. file says that raw may be a file (a
// vendor's envelope, or lines under a header): call Apart for its records. Otherwise rec is the one record.
func Parse(p Parser, raw string, in format.Context, rec *record.Record) (header, file bool) {
	p.ParseIn(raw, in, rec)
	if rec.EventType != record.Invalid {
		return false, false
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(raw), "\n")
	if format.IsHeader(in.Format, strings.TrimSpace(first)) {
		return rest == "", rest != ""
	}
	return false, payload.IsEnvelope(raw)
}

// Apart cuts a file into records, parses them and calls emit with each, and after it with the findings made beside it. The item is
// what was cut out; it names the scan that the record belongs to. At the end of a scan envelope emit is called with a nil record.
//
// file is false, and nothing is emitted, when raw only begins like an envelope. n counts the records emitted; a file may hold none.
//
// otherwise is the format of broken records when in names none. origin makes a record's origin of the offset in raw at which its
// text begins; when it is nil all have in's. The records' texts are copies: they do not keep raw alive.
func Apart(p Parser, raw string, in format.Context, otherwise string, origin func(offset int64) string, emit func(*payload.Item, *record.Record)) (n int, file bool) {
	var items []payload.Item
	_ = payload.Cut(strings.NewReader(raw), payload.Options{Format: in.Format, Fields: in.Fields, ScanEnds: true}, func(item payload.Item) error {
		items = append(items, item) // neither this nor the reader fails
		return nil
	})
	if len(items) == 1 && strings.TrimSpace(items[0].Raw) == strings.TrimSpace(raw) {
		return 0, false
	}
	name := in.Format
	if name == "" {
		name = otherwise
	}
	in.Object = format.Object{} // of the file
	var rec record.Record
	for i := range items {
		item := &items[i]
		if item.ScanEnd {
			emit(item, nil)
			continue
		}
		in.Fields = item.Fields
		if origin != nil {
			in.Origin = origin(item.Offset)
		}
		n++
		if item.Err != nil {
			rec = format.NewInvalid(item.Raw, name, item.Err.Error(), in.Received)
			emit(item, &rec)
			continue
		}
		p.ParseIn(item.Raw, in, &rec)
		findings := p.Findings()
		emit(item, &rec)
		for j := range findings {
			n++
			emit(item, &findings[j])
		}
	}
	return n, true
}

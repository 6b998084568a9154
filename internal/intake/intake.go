// Package intake makes records of one raw text, whichever host it came through: mostly one, none of a header line, and all
// those of a vendor's file that came as one text. The siem processor and the Fluent Bit plugin both use it.
package intake

import (
	"strings"

	"github.com/siempipe/siempipe/internal/payload"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/source"
)

// Parser is what source.Parser is to this package.
type Parser interface {
	ParseIn(raw string, in source.Context, rec *record.Record)
	Findings() []record.Record
	Object(rec *record.Record) (o source.Object, ok bool)
}

// Parse parses raw into rec and reports whether it is a header line, of which there is no record, or a file, whose records
// Apart hands out: a vendor's envelope, or lines under a header. Otherwise it is one record.
func Parse(p Parser, raw string, in source.Context, rec *record.Record) (header, file bool) {
	p.ParseIn(raw, in, rec)
	if rec.EventType != record.Invalid {
		return false, false
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(raw), "\n")
	if source.IsHeader(in.Format, strings.TrimSpace(first)) {
		return rest == "", rest != ""
	}
	return false, payload.IsEnvelope(raw)
}

// Apart parses the records of a file and hands out each, followed by the findings made beside it, with what was cut out for it:
// the scan that it is of stands there. It reports whether raw is a file: an object may only begin like an envelope. n is the number
// of records handed out; a file may hold none. The end of a scan envelope is handed out without a record.
//
// otherwise is the format of records that are broken where in names none. origin says where a record stands whose text
// begins at an offset of raw; nil leaves in's for all. Texts of the records are copies of those of raw.
func Apart(p Parser, raw string, in source.Context, otherwise string, origin func(offset int64) string, emit func(*payload.Item, *record.Record)) (n int, file bool) {
	var items []payload.Item
	_ = payload.Cut(strings.NewReader(raw), payload.Options{Format: in.Format, Fields: in.Fields, ScanEnds: true}, func(item payload.Item) error {
		items = append(items, item) // neither this nor the reader fails
		return nil
	})
	if len(items) == 1 && strings.TrimSpace(items[0].Raw) == strings.TrimSpace(raw) {
		return 0, false
	}
	format := in.Format
	if format == "" {
		format = otherwise
	}
	in.Object = source.Object{} // of the file
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
			rec = source.NewInvalid(item.Raw, format, item.Err.Error(), in.Received)
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

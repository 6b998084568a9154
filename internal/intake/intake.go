// Package intake makes records of one raw text, whichever host it came through: mostly one, none of a header line, and all
// those of a vendor's file that came as one text.
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

// Apart parses the records inside of a file and hands out each, with where it begins in raw. It reports whether
// there are any: an object may only begin like an envelope. Texts of the records may be those of raw, and are copies else.
func Apart(p Parser, raw string, in source.Context, emit func(rec *record.Record, offset int64)) (any bool) {
	var items []payload.Item
	_ = payload.Cut(strings.NewReader(raw), payload.Options{Format: in.Format, Fields: in.Fields}, func(item payload.Item) error {
		if !item.ScanEnd {
			items = append(items, item) // neither this nor the reader fails
		}
		return nil
	})
	if len(items) == 0 || len(items) == 1 && strings.TrimSpace(items[0].Raw) == strings.TrimSpace(raw) {
		return false
	}
	var rec record.Record
	for i := range items {
		item := &items[i]
		in.Fields = item.Fields
		if item.Err != nil {
			rec = source.NewInvalid(item.Raw, in.Format, item.Err.Error(), in.Received)
			emit(&rec, item.Offset)
			continue
		}
		p.ParseIn(item.Raw, in, &rec)
		findings := p.Findings()
		emit(&rec, item.Offset)
		for j := range findings {
			emit(&findings[j], item.Offset)
		}
	}
	return true
}

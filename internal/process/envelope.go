package process

import (
	"strconv"
	"strings"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
)

// readFile looks at a text that is no valid record. It reports whether the text is a header line or a file that came as one text
// (a vendor's envelope, or lines under a header), and then makes the first outcome from it.
func (p *Processor) readFile() bool {
	t := p.text
	first, rest, _ := strings.Cut(strings.TrimSpace(t.Raw), "\n")
	isHeader := format.IsHeader(t.Format, strings.TrimSpace(first))
	switch {
	case isHeader && rest == "":
		p.out.drop(ReasonHeader)
		return true
	case !isHeader && !payload.IsEnvelope(t.Raw):
		return false
	}
	if !p.cut() {
		return false
	}
	if len(p.parts) == 0 {
		p.out.drop(ReasonEmpty)
		return true
	}
	p.readPart()
	return true
}

// cut sets parts to what is in the text. It reports whether the text is a file: one that only begins like an envelope is not.
func (p *Processor) cut() bool {
	t := p.text
	var parts []payload.Item
	_ = payload.Cut(strings.NewReader(t.Raw), payload.Options{Format: t.Format, Fields: t.Fields, ScanEnds: p.passEvents}, func(item payload.Item) error {
		parts = append(parts, item) // neither this nor the reader fails
		return nil
	})
	if len(parts) == 1 && strings.TrimSpace(parts[0].Raw) == strings.TrimSpace(t.Raw) {
		return false
	}
	p.parts = parts
	return true
}

// readPart makes an outcome of the next part. The texts of parts are copies: they do not keep the whole text alive.
func (p *Processor) readPart() {
	item := &p.parts[0]
	p.parts = p.parts[1:]
	t, out := p.text, &p.out
	out.Kind, out.Dropped, out.Rule, out.ScanID, out.ScanStatus = Part, "", "", item.ScanID, item.ScanStatus
	switch {
	case item.ScanEnd:
		out.setScanEvent(format.ScanEvent(item.ScanID, item.ScanStatus), item.ScanID, item.ScanStatus, t.Received)
	case item.Err != nil:
		out.Record = p.invalid(item.Raw, item.Err.Error())
	default:
		in := format.Context{Format: t.Format, Fields: item.Fields, Received: t.Received}
		if t.Origin != "" {
			in.Origin = Origin(t.Origin, item.Offset)
		}
		p.parser.ParseIn(item.Raw, in, &out.Record)
		p.findings = p.parser.Findings()
	}
}

// Origin says where a record is, for siem.origin: the address of its object (s3://bucket/key) and the offset of its text in it, in
// bytes after decompression.
func Origin(address string, offset int64) string {
	return address + "#" + strconv.FormatInt(offset, 10)
}

// Package process turns raw texts into records and decides which of them continue. The siem processor, the Fluent Bit plugin and
// the command line all use it, so that a text becomes the same records everywhere.
package process

import (
	"cmp"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process/suppress"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
)

// Options are what users may say about processing. The zero value drops nothing but texts without a record and scan events.
type Options struct {
	Parsing format.Options
	Exclude Exclude
	// DropInvalid drops records of event type invalid. Otherwise they continue, whatever else is set.
	DropInvalid bool
	// MarkSuppressed lets suppressed records continue with the name of their suppression.
	MarkSuppressed bool
	// PassScanEvents lets events continue that report the progress of a scan. Otherwise marked events are dropped, ends of scan
	// envelopes are left out, and other events are parsed like any text.
	PassScanEvents bool
	// JoinScans makes Next return scans as scans even if Parsing.ScansAsFindings is set. Decide makes the findings. A caller
	// that joins scans with syslog lines does so in between.
	JoinScans bool
}

// Processor turns one text after another into outcomes:
//
//	p.Start(&text)
//	for out := p.Next(); out != nil; out = p.Next() {
//		p.Decide(out, suppressions, now)
//	}
//
// A text that is one record in canonical form is processed without allocating. A Processor keeps scratch between texts: use one
// for each goroutine. After a panic it is ready for the next Start.
type Processor struct {
	parser        *format.Parser
	scanFindings  *format.Parser // makes findings of scans in Decide; nil unless Options.JoinScans defers them
	defaultFormat string         // of texts that name none
	passEvents    bool
	filter        filter

	text     *Text // nil once its records are out
	unread   bool  // Next has not looked at the text yet
	out      Outcome
	findings []record.Record // those still to come of the record before; the parser owns them
	parts    []payload.Item  // those still to come of a text that holds many
}

// New checks the options and returns a processor.
func New(opts Options) (*Processor, error) {
	p := &Processor{
		defaultFormat: cmp.Or(opts.Parsing.Format, format.Auto),
		passEvents:    opts.PassScanEvents,
		filter:        filter{exclude: opts.Exclude, dropInvalid: opts.DropInvalid, markSuppressed: opts.MarkSuppressed},
	}
	var err error
	if opts.JoinScans && opts.Parsing.ScansAsFindings {
		if p.scanFindings, err = format.NewParser(opts.Parsing); err != nil {
			return nil, err
		}
		opts.Parsing.ScansAsFindings = false
	}
	p.parser, err = format.NewParser(opts.Parsing)
	return p, err
}

// Start begins a text and forgets what was left of the one before. The text must not change until Next has returned nil.
func (p *Processor) Start(t *Text) {
	p.text, p.unread = t, true
	p.findings, p.parts = nil, nil
}

// Next returns the next record of the text, nil after the last one: first the text itself or what was cut out of it, and after
// each record the findings made from it. Every text has at least one outcome. It is valid until the next call of Next.
func (p *Processor) Next() *Outcome {
	switch {
	case p.unread:
		p.unread = false
		p.read()
	case len(p.findings) > 0:
		p.out.Kind, p.out.Dropped, p.out.Rule = Finding, "", ""
		p.out.Record, p.findings = p.findings[0], p.findings[1:]
	case len(p.parts) > 0:
		p.readPart()
	default:
		p.text, p.parts = nil, nil
		return nil
	}
	return &p.out
}

// read makes the first outcome of the text.
func (p *Processor) read() {
	t, out := p.text, &p.out
	out.Kind, out.Dropped, out.Rule, out.ScanID, out.ScanStatus = Whole, "", "", "", ""
	switch {
	case t.Broken != "":
		out.Record = p.invalid(t.Raw, t.Broken)
	case p.readScanEvent():
	case strings.TrimSpace(t.Raw) == "":
		out.drop(ReasonEmpty)
	case t.Known != nil:
		out.Record = *t.Known
	default:
		p.parser.ParseIn(t.Raw, t.Context, &out.Record)
		if out.Record.EventType != record.Invalid || !p.readFile() {
			p.findings = p.parser.Findings()
		}
	}
}

// readScanEvent reads an event that reports the progress of a scan: one that its sender marked, or any where events pass. A mark
// is only believed where the text is an event.
func (p *Processor) readScanEvent() bool {
	t := p.text
	if !t.ScanEvent && !p.passEvents {
		return false
	}
	id, status, ok := format.ReadScanEvent(t.Raw)
	switch {
	case !ok:
		return false
	case p.passEvents:
		p.out.setScanEvent(t.Raw, id, status, t.Received)
	default:
		p.out.drop(ReasonScanEvent)
	}
	return true
}

// invalid is the record for a text that was not read whole.
func (p *Processor) invalid(raw, reason string) record.Record {
	return format.NewInvalid(raw, cmp.Or(p.text.Format, p.defaultFormat), reason, p.text.Received)
}

// Reparse replaces an outcome's record by the one that another text in the same format makes. Findings of the record that Next
// has not returned yet are lost; scans and lines, which are joined this way, have none.
func (p *Processor) Reparse(out *Outcome, raw string) {
	p.findings = nil
	p.parser.Parse(raw, out.Record.Format, out.Record.Received, &out.Record)
}

// Decide says whether an outcome of Next continues at now: it sets Dropped and Rule. list may be nil. With Options.JoinScans it
// first replaces a scan by its finding.
func (p *Processor) Decide(out *Outcome, list *suppress.List, now time.Time) {
	if out.Dropped != "" || out.IsScanEvent() {
		return
	}
	rec := &out.Record
	if p.scanFindings != nil && rec.EventType != record.Invalid && format.IsScan(rec.Format) {
		p.scanFindings.Parse(rec.Body, rec.Format, rec.Received, rec)
	}
	out.Dropped, out.Rule = p.filter.decide(rec, list, now)
}

// Object is what the parser knows of the body of the outcome that Next returned last. Not ok when it knows nothing. Its members
// are valid until the next call of Next.
func (p *Processor) Object(out *Outcome) (o format.Object, ok bool) {
	if out.Kind != Whole || out.Record.EventType == record.Invalid || p.text.Known != nil {
		return format.Object{}, false
	}
	return p.parser.Object(&out.Record)
}

// Release lets go of the last text and its records. Call it after a batch.
func (p *Processor) Release() {
	p.Start(nil)
	p.unread = false
	p.out = Outcome{}
}

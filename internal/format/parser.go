package format

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema/panoptica"
)

// DefaultMaxRecordBytes is the longest record that is parsed unless Options say otherwise. Vendors' records stay below
// 256 KB, which is also the limit of the queues they come through.
const DefaultMaxRecordBytes = 1 << 20

// maxScratch is how large a buffer a Parser keeps between records.
const maxScratch = 256 << 10

// Options are what users may say about parsing.
type Options struct {
	// Format is the format of records that do not name one; "" is Auto.
	Format string
	// TenantID is the tenant of records that name none; it must begin with "id" to go into a finding.
	TenantID string
	// SourceID and SourceLabel become p_source_id and p_source_label of log records.
	SourceID, SourceLabel string
	// ScansAsFindings turns scans into findings; scan_finding.go says how.
	ScansAsFindings bool
	// VerdictSeverities overrides rows of the table VerdictSeverities: from a verdict's code or word to a severity in the words of
	// the SIEM schema, or "none". The key "unknown" stands for verdicts that neither this nor the table has.
	VerdictSeverities map[string]string
	// VPCFlowFields names the fields of flow logs' lines that stand under no header, with blanks between them as in one; ""
	// is DefaultFlowFields.
	VPCFlowFields string
	// MaxRecordBytes is the longest record that is parsed; 0 is DefaultMaxRecordBytes.
	MaxRecordBytes int
}

// Parser reads records. It is not safe for concurrent use; keep one for each goroutine. It keeps scratch between
// records, and the last record itself.
type Parser struct {
	opts    Options
	in      Input
	finding panoptica.Finding
	row     row
	buf     []byte

	severities   map[string]record.Severity
	sourceFields []byte          // p_source_id and p_source_label as JSON
	last         *Format         // that was named last
	flow         flowHeader      // the header that was read last
	findings     []record.Record // see Findings
	made         Input           // the text of one, while it is made
}

// NewParser checks the options and returns a parser.
func NewParser(opts Options) (*Parser, error) {
	var errs []error
	if opts.Format == "" {
		opts.Format = Auto
	}
	if _, ok := Lookup(opts.Format); !ok && opts.Format != Auto {
		errs = append(errs, unknownFormat(opts.Format))
	}
	if opts.MaxRecordBytes < 0 {
		errs = append(errs, fmt.Errorf("max record bytes: %d, want a positive number", opts.MaxRecordBytes))
	}
	if opts.MaxRecordBytes == 0 {
		opts.MaxRecordBytes = DefaultMaxRecordBytes
	}
	if opts.VPCFlowFields != "" && !isFlowHeader(opts.VPCFlowFields) {
		errs = append(errs, fmt.Errorf("fields of flow logs: %.64q, want their names with blanks between them, such as %q", opts.VPCFlowFields, DefaultFlowFields))
	}
	severities, err := verdictSeverities(opts.VerdictSeverities)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	p := &Parser{opts: opts, severities: severities, sourceFields: sourceFieldsOf(&opts)}
	p.in.names, p.in.defaultFields = new(jsonscan.Names), first(opts.VPCFlowFields, DefaultFlowFields)
	return p, nil
}

func unknownFormat(name string) error {
	return fmt.Errorf("unknown format %.64q, want %s or one of %s", name, Auto, strings.Join(Names(), ", "))
}

// Context is what a receiver knows of a record beside its text.
type Context struct {
	// Format is the record's source format; "" is the one of the options.
	Format string
	// Fields is the header line that a line of text stands under (siem.fields); "" is the one of the options, or else the
	// format's default.
	Fields string
	// Origin is where the record stands, the same whenever it is read (siem.origin); "" where nothing tells.
	Origin string
	// Received is when the record was taken in.
	Received time.Time
	// Object is what is known of this very text; the zero value where nothing is.
	Object Object
}

// Object is what somebody who has scanned or made a compact JSON object knows of it, so that it need not be scanned again.
type Object struct {
	Members []jsonscan.Member // all of them, as jsonscan.Members finds them; nil when they are not known
	Shape   jsonscan.Shape    // 0 when it is not known
}

// Parse is ParseIn for a record of which nothing but its format is known.
func (p *Parser) Parse(raw, format string, received time.Time, rec *record.Record) {
	p.ParseIn(raw, Context{Format: format, Received: received}, rec)
}

// ParseIn reads one raw record. It never fails: what cannot be read becomes a record of event type invalid, which says why
// and holds the input. rec is overwritten; its strings may be parts of raw. A compact finding that needs no change is taken
// as it is, without allocating.
func (p *Parser) ParseIn(raw string, in Context, rec *record.Record) {
	*rec = record.Record{Received: in.Received}
	clear(p.findings)
	p.findings = p.findings[:0]
	p.in.Context = in
	p.in.header = &p.flow
	if err := p.parse(raw, in.Format, rec); err != nil {
		*rec = NewInvalid(raw, rec.Format, err.Error(), in.Received)
	}
	p.row.release(len(raw))
	if cap(p.buf) > maxScratch {
		p.buf = nil
	}
}

// Object is what is known of the body of the record parsed last: its members, when the body is the text as it came or as it
// was made. They are valid until the next record is parsed.
func (p *Parser) Object(rec *record.Record) (o Object, ok bool) {
	if !p.in.Compact || p.in.JSONErr != nil || rec.Body != p.in.Raw { // mostly the same text, which is quick to see
		return Object{}, false
	}
	return Object{Members: p.in.Members, Shape: p.in.shape}, true
}

// Findings are those that the record parsed last is about, beside itself: a GuardDuty finding is a row of its log and a
// finding of the Panoptica schema. They are valid until the next record is parsed.
func (p *Parser) Findings() []record.Record { return p.findings }

func (p *Parser) parse(raw, format string, rec *record.Record) error {
	if format == "" {
		format = p.opts.Format
	}
	rec.Format = Auto
	if len(raw) > p.opts.MaxRecordBytes {
		if _, ok := Lookup(format); ok {
			rec.Format = format
		}
		return fmt.Errorf("record of %d bytes, longer than %d", len(raw), p.opts.MaxRecordBytes)
	}
	if o := p.in.Object; o.Members != nil {
		p.in.take(raw, o)
	} else {
		p.in.scan(raw)
	}
	if object := p.in.notified(); object != "" {
		p.in.scan(object)
	}
	f, err := p.formatOf(format)
	if err != nil {
		return err
	}
	rec.Format = f.Name
	if err := f.parse(p, &p.in, rec); err != nil {
		return err
	}
	if p.opts.ScansAsFindings && f.scans && !isScanFinding(&p.in) {
		return p.scanToFinding(rec)
	}
	return nil
}

// formatOf finds the format of the input: the one that is named, or the only one that claims it.
func (p *Parser) formatOf(name string) (*Format, error) {
	if name != Auto {
		if p.last != nil && p.last.Name == name { // most come in a row
			return p.last, nil
		}
		f, ok := Lookup(name)
		if !ok && name == record.FormatDetection { // made by another collector, whose attributes came with it
			f, ok = &detection, true
		}
		if !ok {
			return nil, unknownFormat(name)
		}
		p.last = f
		return f, nil
	}
	if p.in.has(findingNames) && p.in.top == findingNames { // every other format wants other names, or no object
		return &Formats[0], nil
	}
	if f := rowFormat(&p.in); f != nil {
		return f, nil
	}
	var claimed *Format
	for i := range Formats {
		f := &Formats[i]
		if !f.claims(&p.in) {
			continue
		}
		if claimed != nil {
			return nil, fmt.Errorf("claimed by both %s and %s; name the format", claimed.Name, f.Name)
		}
		claimed = f
	}
	switch {
	case claimed != nil:
		return claimed, nil
	case p.in.IsObject:
		return nil, errors.New("no format claims this object; name the format")
	case p.in.Raw == "":
		return nil, errors.New("empty record")
	case !utf8.ValidString(p.in.Raw):
		return nil, errors.New("not UTF-8")
	case strings.HasPrefix(p.in.Raw, "{"):
		return nil, fmt.Errorf("broken JSON: %w", p.in.JSONErr)
	default:
		return nil, errors.New("neither a JSON object nor a line of a known format")
	}
}

// rewrite returns the canonical body of the input: compact, with the fixes in place, and more members at its end.
// extra is the JSON text of those members, without a comma around it. It allocates only where something changes.
func (p *Parser) rewrite(in *Input, fixes []panoptica.Fix, extra []byte) string {
	if in.Compact && len(fixes) == 0 && len(extra) == 0 {
		return in.Raw
	}
	dst, copied := p.buf[:0], 0
	part := func(to int) {
		if in.Compact {
			dst = append(dst, in.Raw[copied:to]...)
		} else {
			dst = jsonscan.AppendCompact(dst, in.Raw[copied:to])
		}
	}
	for _, fix := range fixes {
		m := &in.Members[fix.Index]
		part(m.Offset)
		dst = append(dst, fix.Value...)
		copied = m.Offset + len(m.Value)
	}
	part(len(in.Raw))
	if len(extra) > 0 {
		dst = dst[:len(dst)-1] // the brace
		if len(in.Members) > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, extra...), '}')
	}
	p.buf = dst
	return string(dst)
}

// contentID is the identity of a record that has none: 32 hexadecimal digits of the SHA-256 of its canonical body
// without the members named in ignore, which differ between two sightings of the same thing.
func contentID(body string, ignore ...string) string {
	members, _, err := jsonscan.Members(nil, body)
	h := sha256.New()
	if err != nil {
		h.Write([]byte(body))
	}
next:
	for i := range members {
		m := &members[i]
		for _, name := range ignore {
			if m.Name == name {
				continue next
			}
		}
		h.Write([]byte(m.Name + "\x00" + m.Value + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

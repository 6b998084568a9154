package format

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Standard fields of a row, and how their names begin.
// https://docs.panther.com/search/panther-fields
const (
	fieldPrefix    = "p_"
	fieldLogType   = "p_log_type"
	fieldRowID     = "p_row_id"
	fieldEventTime = "p_event_time"
	fieldParseTime = "p_parse_time"
)

// row is what a log record is made of: the changes to its text, and what was found while reading it. The strings of its indicators
// are parts of the input.
type row struct {
	indicators
	done     bool // it has its standard fields already: it comes from siempipe
	patches  []patch
	scratch  []byte // the patches' texts
	times    [2]instant
	timed    [2]bool
	accounts [2]string

	seen  uint64 // bits of the columns that were there
	id    string // of a row that is done, and its event time
	event instant

	day        dayCache
	parsed     instant // when the record was received that parsedText was made for
	parsedText []byte  // the text from p_event_time's closing quote to the source fields: the same for a whole batch

	order   [64]uint8      // the column of the name at each place of the object that was read last, plus one
	ordered *logType       // whose columns they are
	shape   jsonscan.Shape // of the object, where it was none of siempipe's own rows
}

// patch puts scratch[text:end] in the place of the input's bytes from to to.
type patch struct{ from, to, text, end int }

func (r *row) reset() {
	r.indicators.reset()
	r.done = false
	r.patches, r.scratch = r.patches[:0], r.scratch[:0]
	r.timed = [2]bool{}
	r.accounts = [2]string{}
	r.seen, r.id, r.event = 0, "", instant{}
}

// release lets go of the input, and of room that a record of a length took when it was unusual.
func (r *row) release(length int) {
	r.reset()
	if length < maxScratch/16 {
		return
	}
	r.scratch, r.patches = nil, nil
	r.found = [numIndicators][]string{}
}

// remove takes the input's bytes from to to out.
func (r *row) remove(from, to int) { r.patches = append(r.patches, patch{from: from, to: to}) }

// begin begins a patch whose text is appended to scratch until end.
func (r *row) begin() int { return len(r.scratch) }

func (r *row) end(begun, from, to int) {
	r.patches = append(r.patches, patch{from: from, to: to, text: begun, end: len(r.scratch)})
}

func (r *row) appendTime(dst []byte, t instant) []byte { return r.day.append(dst, t) }

func (r *row) setTime(rank uint8, t instant) {
	if rank != 0 {
		r.times[rank-1], r.timed[rank-1] = t, true
	}
}

func (r *row) setAccount(rank uint8, s string) {
	if s = accountOf(s); s != "" && r.accounts[rank-1] == "" {
		r.accounts[rank-1] = s
	}
}

func (r *row) account() string {
	if r.accounts[0] != "" {
		return r.accounts[0]
	}
	return r.accounts[1]
}

// apply appends the input with its patches to dst, without the brace at its end and without a comma there.
func (r *row) apply(dst []byte, raw string) []byte {
	at := 0
	for _, patch := range r.patches {
		dst = append(dst, raw[at:patch.from]...)
		dst = append(dst, r.scratch[patch.text:patch.end]...)
		at = patch.to
	}
	dst = append(dst, raw[at:len(raw)-1]...)
	if dst[len(dst)-1] == ',' { // what followed it was removed
		dst = dst[:len(dst)-1]
	}
	return dst
}

// finish appends the standard fields to the body in p.buf, which lacks its last brace, and fills rec.
func (p *Parser) finish(lt *logType, in *Input, rec *record.Record) {
	r := &p.row
	rec.EventType = lt.name
	rec.AccountID = r.account()
	rec.TenantID = p.opts.TenantID
	dst := p.buf
	if r.done {
		dst = append(dst, '}')
		rec.Body, rec.ID, rec.Time = string(dst), r.id, r.event.time()
		p.buf = dst
		return
	}
	parsed := instantOf(rec.Received)
	event := parsed
	switch {
	case r.timed[0]:
		event = r.times[0]
	case r.timed[1]:
		event = r.times[1]
	}
	var id [rowIDLength / 2]byte
	id, dst = p.rowID(dst, in)
	if len(dst) > 1 {
		dst = append(dst, lt.tail...)
	} else {
		dst = append(dst, lt.tail[1:]...)
	}
	idAt := len(dst)
	dst = slices.Grow(dst, rowIDLength)[:idAt+rowIDLength]
	digits := (*[rowIDLength]byte)(dst[idAt:])
	for i, b := range id {
		digits[2*i], digits[2*i+1] = twoHexDigits[b][0], twoHexDigits[b][1]
	}
	dst = append(dst, `","p_event_time":"`...)
	dst = r.appendTime(dst, event)
	if len(r.parsedText) == 0 || parsed != r.parsed { // the same for a whole batch
		r.parsed = parsed
		r.parsedText = r.appendTime(append(r.parsedText[:0], `","p_parse_time":"`...), parsed)
		r.parsedText = append(append(r.parsedText, '"'), p.sourceFields...)
	}
	dst = append(dst, r.parsedText...)
	dst = r.indicators.append(dst)
	dst = append(dst, '}')
	p.buf = dst
	rec.Body = string(dst)
	rec.ID = rec.Body[idAt : idAt+rowIDLength]
	rec.Time = event.time()
}

// twoHexDigits are all bytes as they are written.
var twoHexDigits = func() (digits [256][2]byte) {
	for b := range digits {
		hex.Encode(digits[b][:], []byte{byte(b)})
	}
	return digits
}()

// rowIDLength is the length of a p_row_id: 128 bits as hexadecimal digits. Two rows have the same only when they are the
// same, whoever writes them.
const rowIDLength = 32

// rowID is the identity of the row: a hash of what it says and of where it stands. Reading it again gives the same. dst is
// the columns of an object; a line is hashed itself, being much shorter than they are.
func (p *Parser) rowID(dst []byte, in *Input) (id [rowIDLength / 2]byte, same []byte) {
	at, end := 0, len(dst)
	if !in.IsObject { // hashed in place: what stands behind the body is free
		at = end
		dst = append(dst, in.Raw...)
	}
	dst = append(dst, 0)
	dst = append(dst, in.Origin...)
	sum := sha256.Sum256(dst[at:])
	copy(id[:], sum[:])
	return id, dst[:end]
}

// sourceFieldsOf is the JSON text of p_source_id and p_source_label, with a comma before each; those that are not set are
// not there.
func sourceFieldsOf(opts *Options) []byte {
	var dst []byte
	if opts.SourceID != "" {
		dst = jsonscan.AppendQuoted(append(dst, `,"p_source_id":`...), opts.SourceID)
	}
	if opts.SourceLabel != "" {
		dst = jsonscan.AppendQuoted(append(dst, `,"p_source_label":`...), opts.SourceLabel)
	}
	return dst
}

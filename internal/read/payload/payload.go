// Package payload cuts what a sender posts, or an object in a bucket holds, into records while it streams in: a JSON
// object, an array, newline-delimited JSON, a vendor's envelope or lines of text. It only finds where records begin and
// end; what is inside them is the parser's business, and so a record that cannot be right is still cut out and goes on.
package payload

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/jsonscan"
)

// DefaultMaxRecordBytes is the longest record that is cut whole: four times what a parser takes, so that the whole of a
// record that is too long for it can be kept as invalid, and little enough for each of many requests at once to hold one.
const DefaultMaxRecordBytes = 4 << 20

// Options bound the cutting and say what is known of the payload.
type Options struct {
	// Format is the source format that the payload is in, "" or source.Auto when that is not known. It decides which lines
	// of text are headers: with a format that has none, none are.
	Format string
	// Fields is the header line that holds for the first lines of text, where the payload begins behind its own: when a
	// growing object is read on. A header line in the payload takes its place.
	Fields string
	// MaxRecordBytes is the longest record that is cut whole; 0 is DefaultMaxRecordBytes. Of a longer one that much is
	// emitted, with an Err, and the rest is left out.
	MaxRecordBytes int
	// ScanEnds asks for an Item at the end of each scan envelope, for those who wait for whole scans.
	ScanEnds bool
}

// Item is one record cut out of a payload. Its texts are copies, or parts of a piece of the payload of at most 16 KiB, which they
// keep alive.
type Item struct {
	// Index counts the payload's records from 0.
	Index int
	// Raw is the record's text: a part of the payload, but for the message of a log event, which is decoded.
	Raw string
	// Err says why Raw is not a whole record; nil for all others, also those that no parser will take.
	Err error
	// ScanID and ScanStatus are what a scan envelope has said so far: its members before the findings.
	ScanID, ScanStatus string
	// ScanEnd says that this is no record but the end of a scan envelope: Raw is empty, ScanID and ScanStatus are what all of it
	// said. Of an envelope that was not whole the status is Incomplete.
	ScanEnd bool
	// Fields is the header line that the record stands under, "" when there is none: the names of a flow log's fields. A
	// receiver hands it to the parser as the record's siem.fields attribute. Header lines themselves are no records.
	Fields string
	// Offset is where the record's text begins, in bytes of the uncompressed payload, and End where it ends. Offset is the same
	// whenever the same payload is read, which is why receivers put it into siem.origin. A payload of lines may be read on from
	// End, with Fields; one that holds Inside records may not.
	Offset, End int64 // a line's End is behind its line end
	// Inside says that the record is an element of an array or envelope.
	Inside bool
	// Open says that the payload ended before the record did: a line without a line end, JSON without its last bracket. More
	// of it may be on its way where the payload is an object that grows.
	Open bool
}

// Cut reads r to its end and emits its records in order. It returns the first error of r or of emit; records that were
// cut whole before an error of r were emitted, the torn one was not.
//
// An object is an envelope when its first name is one that envelopes begin with and one of its members is an array of records:
// Records, records, results, findings, Findings, attack_paths, entries, or logEvents, whose elements hold the records as messages.
// The first object of a payload may begin with any name when a scan_id stands before that array. An object with a member that
// marks a record before the array is a record itself: taking it apart would lose its other members.
//
// Broken JSON ends where its brackets close, or else before the next line that begins like a record, so that one bad
// record never takes its neighbours with it.
func Cut(r io.Reader, opts Options, emit func(Item) error) error {
	if opts.MaxRecordBytes == 0 {
		opts.MaxRecordBytes = DefaultMaxRecordBytes
	}
	chunk := chunks.Get().(*[chunkBytes]byte)
	defer chunks.Put(chunk)
	c := &cutter{window: window{r: r, chunk: chunk}, max: opts.MaxRecordBytes, format: opts.Format, fields: opts.Fields, scanEnds: opts.ScanEnds, emitItem: emit}
	err := c.payload()
	if errors.Is(err, errEnd) {
		err = nil
	}
	return err
}

// errEnd is the regular end of the payload.
var errEnd = errors.New("end of payload")

type cutter struct {
	window
	max      int
	emitItem func(Item) error
	scanEnds bool

	count              int
	scanID, scanStatus string
	format, fields     string
	inside             int  // arrays and envelopes that are open
	messages, control  bool // the elements are log events; they only ask whether somebody listens
	ended              bool // the payload has ended where a line end or a bracket was looked for

	noLine int64 // up to this offset of the payload no object is known to be a line of its own
}

// emit hands out the next n bytes of the window as a record.
func (c *cutter) emit(n int) error {
	raw := strings.TrimLeft(c.rest()[:n], blanks)
	offset := c.offset(n - len(raw))
	if raw != "" && raw[0] != '{' { // blanks at the end of a line tell how long it was: a pipe line may have been cut inside them
		raw = strings.TrimRight(raw, "\r\n")
	} else {
		raw = strings.TrimRight(raw, blanks)
	}
	c.pos += n
	if raw == "" {
		return nil
	}
	if whole := c.whole(raw); whole < len(raw) {
		return c.emitCut(raw[:whole], len(raw)-whole, offset)
	}
	item := c.item(raw, offset)
	item.Open = c.ended
	return c.emitItem(item)
}

// blanks are what stands between records.
const blanks = " \t\r\n"

// emitCut hands out the beginning of a record that is too long.
func (c *cutter) emitCut(raw string, left int, offset int64) error {
	item := c.item(raw, offset)
	item.Err = fmt.Errorf("record longer than %d bytes; %d bytes at its end are left out", c.max, left)
	return c.emitItem(item)
}

// item makes the next item, for a text that began at an offset and has been passed.
func (c *cutter) item(raw string, offset int64) Item {
	if c.last = len(raw); len(c.s) > sharedBytes {
		raw = strings.Clone(raw)
	}
	item := Item{Index: c.count, Raw: raw, ScanID: c.scanID, ScanStatus: c.scanStatus, Fields: c.fields,
		Offset: offset, End: c.offset(0), Inside: c.inside > 0}
	c.count++
	return item
}

// whole is how many bytes of a record are kept: at most max, and no part of a rune.
func (c *cutter) whole(raw string) int {
	if len(raw) <= c.max {
		return len(raw)
	}
	n := c.max
	for n > 0 && n > c.max-utf8.UTFMax && !utf8.RuneStart(raw[n]) {
		n--
	}
	return n
}

// payload cuts everything.
func (c *cutter) payload() error {
	if err := c.skipMark(); err != nil {
		return err
	}
	if parquet, err := c.begins(parquetMark); err != nil {
		return err
	} else if parquet {
		return c.refuse(errParquet)
	}
	for {
		if err := c.skipBlanks(); err != nil {
			return err
		}
		var err error
		switch c.s[c.pos] {
		case '{':
			err = c.object()
		case '[':
			err = c.array()
		default:
			err = c.line()
		}
		if err != nil {
			return err
		}
	}
}

// skipMark skips a byte order mark, which Windows tools write.
func (c *cutter) skipMark() error {
	const mark = "\uFEFF"
	marked, err := c.begins(mark)
	if marked {
		c.pos += len(mark)
	}
	return err
}

// begins reports whether the rest begins with a mark.
func (c *cutter) begins(mark string) (bool, error) {
	for len(c.rest()) < len(mark) {
		if err := c.more(); err == errEnd {
			break
		} else if err != nil {
			return false, err
		}
	}
	return strings.HasPrefix(c.rest(), mark), nil
}

// parquetMark begins Parquet files, as which flow logs can be delivered too: their magic, and the first byte of a page's header.
// https://parquet.apache.org/docs/file-format/
const parquetMark = "PAR1\x15"

var errParquet = errors.New("a Parquet file, which is not read: have the logs delivered as text")

// maxRefused is how much of a payload that is not read is kept.
const maxRefused = 256

// refuse hands out the beginning of a payload as its one record, which cannot be right, and reads to its end.
func (c *cutter) refuse(why error) error {
	item := c.item(strings.Clone(c.rest()[:min(maxRefused, len(c.rest()))]), c.offset(0))
	item.Err, item.Inside = why, true // nothing behind it is a line
	if err := c.emitItem(item); err != nil {
		return err
	}
	for {
		c.pos = len(c.s)
		if err := c.more(); err != nil {
			return err
		}
	}
}

// skipBlanks moves to the next byte that is no blank; errEnd when there is none.
func (c *cutter) skipBlanks() error {
	for {
		for c.pos < len(c.s) {
			switch c.s[c.pos] {
			case ' ', '\t', '\r', '\n':
				c.pos++
			default:
				return nil
			}
		}
		if err := c.more(); err != nil {
			return err
		}
	}
}

// line cuts a line of text.
func (c *cutter) line() error {
	from := 0
	for {
		if end, ok := lineEnd(c.rest(), from); ok {
			return c.emitLine(end)
		}
		from = len(c.rest())
		if from > c.max {
			return c.tooLong(lineEnd)
		}
		if err := c.more(); err == errEnd {
			c.ended = true
			return c.emitLine(len(c.rest()))
		} else if err != nil {
			return err
		}
	}
}

// emitLine hands out the next n bytes as a record, or takes them for the header of those that follow.
func (c *cutter) emitLine(n int) error {
	if line := strings.Trim(c.rest()[:n], blanks); format.IsHeader(c.format, line) {
		c.fields = strings.Clone(line)
		c.pos += n
		return nil
	}
	return c.emit(n)
}

// lineEnd finds the end of a line in s[from:].
func lineEnd(s string, from int) (end int, ok bool) {
	n := strings.IndexByte(s[from:], '\n')
	return from + n + 1, n >= 0
}

// object cuts an object at the top of the payload: a record or an envelope.
func (c *cutter) object() error {
	if name, ok := firstName(c.rest()); ok && c.count > 0 && !beginsEnvelope(name) {
		if done, err := c.jsonLine(); done || err != nil {
			return err
		}
		return c.envelope(true)
	}
	return c.envelope(false)
}

// jsonLine cuts a line of newline-delimited JSON without looking inside, which is what most payloads hold. It leaves
// everything that is not plainly such a line: one that does not end with a brace, that seems to hold two objects, or that
// stands before another than one.
func (c *cutter) jsonLine() (done bool, err error) {
	if c.offset(0) < c.noLine { // else a line of many objects would be looked through for each of them
		return false, nil
	}
	from := 0
	defer func() {
		if !done {
			c.noLine = c.offset(from)
		}
	}()
	for {
		if n := strings.IndexByte(c.rest()[from:], '\n'); n >= 0 {
			from += n
			break
		}
		from = len(c.rest())
		if err := c.more(); err == errEnd || from > c.max {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	if line := strings.TrimRight(c.rest()[:from], " \t\r"); !strings.HasSuffix(line, "}") || severalObjects(line) {
		return false, nil
	}
	if from+1 == len(c.rest()) { // the next line is not read yet
		if err := c.more(); err != nil && err != errEnd {
			return false, err
		}
	}
	if next := c.rest()[from+1:]; next != "" && next[0] != '{' {
		return false, nil
	}
	return true, c.emit(from)
}

// severalObjects reports whether a brace opens right behind one that closes, which inside one object only a string holds.
func severalObjects(line string) bool {
	for {
		n := strings.IndexByte(line, '}')
		if n < 0 {
			return false
		}
		line = line[n+1:]
		if line == "" || line[0] != '{' && line[0] > ' ' {
			continue
		}
		if strings.HasPrefix(strings.TrimLeft(line, " \t\r"), "{") {
			return true
		}
	}
}

// array cuts the elements of an array at the top of the payload; a text that only begins like one is a line.
func (c *cutter) array() error {
	at, err := c.peek(1)
	if err != nil {
		return err
	}
	if at == len(c.rest()) {
		return c.line()
	}
	if first := c.rest()[at]; first == '[' {
		return c.line()
	} else if first != '{' && first != ']' {
		// Not what a sender of records writes, but there may be records behind it.
		at, err := c.value(at)
		if isSyntax(err) {
			return c.line()
		} else if err != nil {
			return err
		}
		if at, err = c.peek(at); err != nil {
			return err
		}
		if at == len(c.rest()) || c.rest()[at] != ',' && c.rest()[at] != ']' {
			return c.line()
		}
	}
	c.pos++
	return c.elements()
}

// elements cuts the elements of an array whose opening bracket has been passed, up to its closing one.
func (c *cutter) elements() error {
	c.inside++
	defer func() { c.inside-- }()
	for {
		if err := c.skipBlanks(); err != nil {
			return err
		}
		switch c.s[c.pos] {
		case ']':
			c.pos++
			return nil
		case ',':
			c.pos++
		default:
			end, err := c.value(0)
			if err == nil {
				err = c.emitElement(end)
			} else if isSyntax(err) {
				err = c.broken(true)
			}
			if err != nil {
				return err
			}
		}
	}
}

// emitElement hands out the next n bytes, a whole element of an array.
func (c *cutter) emitElement(n int) error {
	if !c.messages || n > c.max {
		return c.emit(n)
	}
	message, ok := logMessage(c.rest()[:n])
	if !ok && !c.control {
		return c.emit(n)
	}
	offset := c.offset(0)
	c.pos += n
	switch message = strings.Trim(message, blanks); {
	case c.control:
		return nil
	case format.IsHeader(c.format, message):
		c.fields = strings.Clone(message)
		return nil
	}
	return c.emitItem(c.item(message, offset))
}

// value finds the end of the JSON value that starts at offset from of the rest, reading on as long as it is cut short.
func (c *cutter) value(from int) (end int, err error) {
	for {
		end, err = jsonscan.Prefix(c.rest(), from)
		var syntax *jsonscan.SyntaxError
		if err == nil || !errors.As(err, &syntax) || !syntax.Short || len(c.rest()) > c.max {
			return end, err
		}
		if more := c.more(); more == errEnd {
			return end, err
		} else if more != nil {
			return 0, more
		}
	}
}

func isSyntax(err error) bool {
	var syntax *jsonscan.SyntaxError
	return errors.As(err, &syntax)
}

// broken emits a text that begins like JSON and is none: up to where its brackets close, or else to the next line that
// begins like a record, or else to the end. An element of an array that opens no bracket ends before the next comma.
func (c *cutter) broken(isElement bool) error {
	b := brackets{isElement: isElement}
	from := 0
	for {
		if end, ok := b.end(c.rest(), from); ok {
			return c.emit(end)
		}
		if from = len(c.rest()); from > c.max {
			return c.tooLong(b.end)
		}
		if err := c.more(); err == errEnd {
			c.ended = true
			return c.emit(len(c.rest()))
		} else if err != nil {
			return err
		}
	}
}

// tooLong emits the beginning of a record that is longer than allowed and skips to its end, so that what follows it is
// not lost with it. All of the rest has been looked through for that end.
func (c *cutter) tooLong(endIn func(s string, from int) (end int, ok bool)) error {
	n := c.whole(c.rest())
	raw, offset := strings.Clone(c.rest()[:n]), c.offset(0)
	left := len(c.rest()) - n
	for {
		c.pos = len(c.s)
		if err := c.more(); err == errEnd {
			break
		} else if err != nil {
			return err
		}
		if end, ok := endIn(c.rest(), 0); ok {
			left += end
			c.pos += end
			break
		}
		left += len(c.rest())
	}
	return c.emitCut(raw, left, offset)
}

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

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// DefaultMaxRecordBytes is the longest record that is cut whole: far above what a parser takes, so that the whole of a
// record that is too long for it can be kept as invalid, and far below what memory holds.
const DefaultMaxRecordBytes = 16 << 20

// chunkBytes is how much is read at once. It bounds the memory of a payload of short records.
const chunkBytes = 64 << 10

// Options bound the cutting.
type Options struct {
	// MaxRecordBytes is the longest record that is cut whole; 0 is DefaultMaxRecordBytes. Of a longer one that much is
	// emitted, with an Err, and the rest is left out.
	MaxRecordBytes int
}

// Item is one record cut out of a payload. Its strings are its own.
type Item struct {
	// Index counts the payload's records from 0.
	Index int
	// Raw is the record's text.
	Raw string
	// Err says why Raw is not a whole record; nil for all others, also those that no parser will take.
	Err error
	// ScanID and ScanStatus are what a scan envelope has said so far: its members before the findings.
	ScanID, ScanStatus string
}

// Cut reads r to its end and emits its records in order. It returns the first error of r or of emit; records that were
// cut whole before an error of r were emitted, the torn one was not.
//
// An object is an envelope when its first name is one that envelopes begin with and one of its members is an array
// of records: Records, records, results, findings, attack_paths. The first object of a payload may have that member
// anywhere, as long as no member that marks a record comes before it.
//
// Broken JSON ends where its brackets close, or else before the next line that begins with a brace, so that one bad
// record never takes its neighbours with it.
func Cut(r io.Reader, opts Options, emit func(Item) error) error {
	if opts.MaxRecordBytes == 0 {
		opts.MaxRecordBytes = DefaultMaxRecordBytes
	}
	c := &cutter{window: window{r: r}, max: opts.MaxRecordBytes, emitItem: emit}
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

	count              int
	scanID, scanStatus string
}

// emit hands out the next n bytes of the window as a record.
func (c *cutter) emit(n int) error {
	raw := strings.Trim(c.rest()[:n], " \t\r\n")
	c.pos += n
	if raw == "" {
		return nil
	}
	if whole := c.whole(raw); whole < len(raw) {
		return c.emitCut(raw[:whole], len(raw)-whole)
	}
	return c.emitItem(c.item(raw))
}

// emitCut hands out the beginning of a record that is too long.
func (c *cutter) emitCut(raw string, left int) error {
	item := c.item(raw)
	item.Err = fmt.Errorf("record longer than %d bytes; %d bytes at its end are left out", c.max, left)
	return c.emitItem(item)
}

func (c *cutter) item(raw string) Item {
	item := Item{Index: c.count, Raw: strings.Clone(raw), ScanID: c.scanID, ScanStatus: c.scanStatus}
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
	for len(c.rest()) < len(mark) {
		if err := c.more(); err == errEnd {
			break
		} else if err != nil {
			return err
		}
	}
	if strings.HasPrefix(c.rest(), mark) {
		c.pos += len(mark)
	}
	return nil
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
		if n := strings.IndexByte(c.rest()[from:], '\n'); n >= 0 {
			return c.emit(from + n + 1)
		}
		from = len(c.rest())
		if from > c.max {
			return c.tooLong("\n")
		}
		if err := c.more(); err == errEnd {
			return c.emit(len(c.rest()))
		} else if err != nil {
			return err
		}
	}
}

// object cuts an object at the top of the payload: a record or an envelope.
func (c *cutter) object() error {
	if name, ok := firstName(c.rest()); ok && c.count > 0 && !beginsEnvelope(name) {
		if done, err := c.jsonLine(); done || err != nil {
			return err
		}
	}
	return c.envelope()
}

// jsonLine cuts a line of newline-delimited JSON without looking inside, which is what most payloads hold. It leaves
// everything that is not plainly such a line: one that does not end with a brace, or before another than one.
func (c *cutter) jsonLine() (done bool, err error) {
	from := 0
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
	if !strings.HasSuffix(strings.TrimRight(c.rest()[:from], " \t\r"), "}") {
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

// array cuts the elements of an array at the top of the payload; a text that only begins like one is a line.
func (c *cutter) array() error {
	at, err := c.peek(1)
	if err != nil {
		return err
	}
	if at == len(c.rest()) || c.rest()[at] != '{' && c.rest()[at] != ']' {
		return c.line()
	}
	c.pos++
	return c.elements()
}

// elements cuts the elements of an array whose opening bracket has been passed, up to its closing one.
func (c *cutter) elements() error {
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
				err = c.emit(end)
			} else if isSyntax(err) {
				err = c.broken()
			}
			if err != nil {
				return err
			}
		}
	}
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
// begins with a brace, or else to the end.
func (c *cutter) broken() error {
	for {
		rest := c.rest()
		if end := closing(rest); end > 0 {
			return c.emit(end)
		}
		if n := strings.Index(rest, "\n{"); n >= 0 {
			return c.emit(n + 1)
		}
		if len(rest) > c.max {
			return c.tooLong("\n{")
		}
		if err := c.more(); err == errEnd {
			return c.emit(len(c.rest()))
		} else if err != nil {
			return err
		}
	}
}

// closing finds where the brackets that open at the start of s are all closed, whatever is between them; 0 when they
// are not before the next line that begins with a brace.
func closing(s string) int {
	depth, inString := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\n' && i+1 < len(s) && s[i+1] == '{':
			return 0
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString && c == '\n':
			return 0
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return i + 1
			}
		}
	}
	return 0
}

// tooLong emits the beginning of a record that is longer than allowed and skips to the next separator.
func (c *cutter) tooLong(separator string) error {
	n := c.whole(c.rest())
	raw := strings.Clone(c.rest()[:n])
	c.pos += n
	left := 0
	for {
		if i := strings.Index(c.rest(), separator); i >= 0 {
			left += i + 1
			c.pos += i + 1
			break
		}
		keep := len(separator) - 1 // the separator may straddle two reads
		if drop := len(c.rest()) - keep; drop > 0 {
			left += drop
			c.pos += drop
		}
		if err := c.more(); err == errEnd {
			left += len(c.rest())
			c.pos = len(c.s)
			break
		} else if err != nil {
			return err
		}
	}
	return c.emitCut(raw, left)
}

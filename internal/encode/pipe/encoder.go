package pipe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// DefaultMaxLength is the vendor's limit of one message, in bytes with its header. The vendor says characters; bytes are
// never fewer.
const DefaultMaxLength = 1024

// Settings of Config.Overflow.
const (
	OverflowShorten = "shorten"
	OverflowSplit   = "split"
	OverflowDrop    = "drop"
)

// Field is one key that the user chose.
type Field struct {
	// Key is written before the colon: at most 64 bytes of printable text without colon, pipe or backslash.
	Key string
	// From is a key of the record's table ("Subject", "Alert ID") or what Row.From may say. Empty means Key.
	From string
}

// Config says how records become messages. Its zero value is backslash, shorten and the tables' own keys.
type Config struct {
	Escape   string // backslash (default), replace or none
	Overflow string // shorten (default), split or drop
	// Fields are written in this order instead of the table's own keys; a field that a record does not have is left out.
	Fields []Field
}

// Validate reports everything that is wrong with c; the messages name escape, overflow and fields.
func (c *Config) Validate() error {
	var errs []error
	if _, err := escapeMode(c.Escape); err != nil {
		errs = append(errs, err)
	}
	switch c.Overflow {
	case "", OverflowShorten, OverflowSplit, OverflowDrop:
	default:
		errs = append(errs, fmt.Errorf("overflow: %q, want one of shorten, split, drop", c.Overflow))
	}
	for i, f := range c.Fields {
		if err := checkKey(f.Key); err != nil {
			errs = append(errs, fmt.Errorf("fields[%d].key: %w", i, err))
		}
		for j := range i {
			if c.Fields[j].Key == f.Key {
				errs = append(errs, fmt.Errorf("fields[%d].key: %q is there twice", i, f.Key))
				break
			}
		}
		for alt := range strings.SplitSeq(f.From, "|") {
			if _, err := parsePath(alt); err != nil && f.From != "" {
				errs = append(errs, fmt.Errorf("fields[%d].from: %w", i, err))
			}
		}
	}
	return errors.Join(errs...)
}

// maxKey bounds a key of the user's: keys are never shortened.
const maxKey = 64

func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("must not be empty")
	case len(key) > maxKey:
		return fmt.Errorf("longer than %d bytes", maxKey)
	case key == KeyPart:
		return errors.New("Part numbers the parts of a split message")
	case strings.TrimSpace(key) != key:
		return fmt.Errorf("%q starts or ends with a blank", key)
	}
	for _, r := range key {
		if r == ':' || r == '|' || r == '\\' || r == '\uFFFD' || unsafeRune(r) {
			return fmt.Errorf("%q holds %U, which no key may", key, r)
		}
	}
	return nil
}

// Result says what became of a record.
type Result uint8

// Results of Encoder.Append.
const (
	Whole     Result = iota // one message, nothing left out
	Shortened               // one message, values shortened
	Split                   // more than one message
)

// ErrTooLong is returned for a record that does not fit its budget: always with overflow drop, and with shorten and
// split when not even ids and codes fit. The record is not sent.
var ErrTooLong = errors.New("message is too long")

// ErrEmpty is returned for a record that has none of the keys.
var ErrEmpty = errors.New("the record has none of the message's keys")

// Encoder makes messages of records. It holds scratch buffers: use one for each goroutine.
type Encoder struct {
	mode     mode
	overflow string
	tables   [][]column // as Tables

	names   names
	shapes  jsonscan.Names
	shape   jsonscan.Shape    // of the body that names were looked up for
	members []jsonscan.Member // of the body
	nested  []jsonscan.Member // of a member of the body, or an array's elements
	text    []byte            // a part of a value that is not plain
	values  []byte            // all pairs as one message, their values escaped
	items   []item
	parts   []part // of the split message
}

// column is a Row or Field ready for use.
type column struct {
	key   string
	paths []path
	class Class
}

// item is one pair of the message in the making.
type item struct {
	column     *column
	start, end int // in values
	keep       int // bytes of the value that are written; less than the whole, an ellipsis follows
	dropped    bool
}

// NewEncoder returns an Encoder for a valid config.
func NewEncoder(c Config) (*Encoder, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m, _ := escapeMode(c.Escape)
	e := &Encoder{mode: m, overflow: c.Overflow}
	if e.overflow == "" {
		e.overflow = OverflowShorten
	}
	for i := range Tables {
		columns, err := columnsOf(&Tables[i], c.Fields)
		if err != nil {
			return nil, err
		}
		for j := range columns {
			for k := range columns[j].paths {
				p := &columns[j].paths[k]
				p.wholeID, p.outerID = e.names.id(p.whole), e.names.id(p.outer)
			}
		}
		e.tables = append(e.tables, columns)
	}
	return e, nil
}

// columnsOf compiles a table, or the user's fields over it.
func columnsOf(t *Table, fields []Field) ([]column, error) {
	rows := t.Rows
	if len(fields) > 0 {
		rows = make([]Row, 0, len(fields))
		for _, f := range fields {
			from := f.From
			if from == "" {
				from = f.Key
			}
			row := Row{Key: f.Key, From: from, Class: t.classOf(from)}
			if r := t.row(from); r != nil {
				row.From, row.Class = r.From, r.Class
			}
			rows = append(rows, row)
		}
	}
	columns := make([]column, 0, len(rows))
	for _, row := range rows {
		c := column{key: row.Key, class: row.Class}
		for alt := range strings.SplitSeq(row.From, "|") {
			p, err := parsePath(alt)
			if err != nil {
				return nil, fmt.Errorf("table %s, key %s: %w", t.Name, row.Key, err)
			}
			c.paths = append(c.paths, p)
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// classOf keeps a value's class when the user names its place in the body instead of its key.
func (t *Table) classOf(from string) Class {
	for _, row := range t.Rows {
		for alt := range strings.SplitSeq(row.From, "|") {
			if alt == from {
				return row.Class
			}
		}
	}
	return Text
}

// Append appends the message for rec to dst, without header or framing, and its end to ends: with overflow split there
// may be several, one after another in dst, ends holding the end of each. No message is longer than budget bytes (what
// max_message_length leaves after the header). When it fails, dst and ends come back as they were; the error is
// ErrTooLong or ErrEmpty, or says where the body is not a JSON object. A record that cannot be split is shortened.
//
// In the steady state Append does not allocate, growth of dst and ends aside. rec is not held.
func (e *Encoder) Append(dst []byte, ends []int, rec *record.Record, budget int) ([]byte, []int, Result, error) {
	return e.AppendPlaced(dst, ends, rec, Known{}, budget)
}

// Known is what may be known of a record's body, a compact object: where its members stand, and their names. The zero value
// knows nothing.
type Known struct {
	Places []jsonscan.Where
	Shape  jsonscan.Shape
}

// AppendPlaced is Append for a record whose body need not be scanned again.
func (e *Encoder) AppendPlaced(dst []byte, ends []int, rec *record.Record, known Known, budget int) ([]byte, []int, Result, error) {
	total, err := e.collect(rec, known)
	if err != nil {
		return dst, ends, Whole, err
	}
	switch {
	case len(e.items) == 0:
		return dst, ends, Whole, ErrEmpty
	case total <= budget:
		dst = append(dst, e.values...)
		return dst, append(ends, len(dst)), Whole, nil
	case e.overflow == OverflowSplit && e.split(budget):
		dst, ends = e.writeParts(dst, ends)
		return dst, ends, Split, nil
	case e.overflow != OverflowDrop && e.shorten(total, budget):
		dst = e.write(dst, e.items)
		return dst, append(ends, len(dst)), Shortened, nil
	}
	return dst, ends, Whole, ErrTooLong
}

// collect fills items and values with the pairs of rec and returns the length of the whole message.
func (e *Encoder) collect(rec *record.Record, known Known) (total int, err error) {
	e.items, e.values, e.text = e.items[:0], shrink(e.values), shrink(e.text)
	shape := known.Shape
	if len(known.Places) > 0 {
		e.members = jsonscan.AppendMembers(e.members[:0], rec.Body, known.Places)
	} else if e.members, _, shape, err = e.shapes.Members(e.members[:0], rec.Body); err != nil {
		return 0, fmt.Errorf("body of the record: %w", err)
	}
	if shape == 0 || shape != e.shape {
		e.names.find(e.members)
		e.shape = shape
	}
	columns := e.tables[tableIndex(rec.EventType, rec.Format)]
	for i := range columns {
		c := &columns[i]
		before := len(e.values)
		if len(e.items) > 0 {
			e.values = append(e.values, '|')
		}
		e.values = append(append(e.values, c.key...), ':')
		start := len(e.values)
		found := false
		for j := 0; j < len(c.paths) && !found; j++ {
			found = e.lookUp(&c.paths[j], rec)
		}
		if !found {
			e.values = e.values[:before]
			continue
		}
		if plain := plainTo(e.values, start); plain < len(e.values) {
			e.text = append(e.text[:0], e.values[plain:]...)
			e.values = appendEscaped(e.values[:plain], e.text, e.mode)
		}
		e.items = append(e.items, item{column: c, start: start, end: len(e.values), keep: len(e.values) - start})
	}
	return len(e.values), nil
}

// maxScratch is the largest buffer kept from one record to the next.
const maxScratch = 256 << 10

func shrink(b []byte) []byte {
	if cap(b) > maxScratch {
		return nil
	}
	return b[:0]
}

// value is the escaped text of an item.
func (e *Encoder) value(it *item) []byte { return e.values[it.start:it.end] }

// write appends the pairs as one message.
func (e *Encoder) write(dst []byte, items []item) []byte {
	first := true
	for i := range items {
		it := &items[i]
		if it.dropped {
			continue
		}
		if !first {
			dst = append(dst, '|')
		}
		first = false
		dst = append(dst, it.column.key...)
		dst = append(dst, ':')
		v := e.value(it)
		dst = append(dst, v[:it.keep]...)
		if it.keep < len(v) {
			dst = append(dst, ellipsis...)
		}
	}
	return dst
}

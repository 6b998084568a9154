// Package pairs encodes records as pairs of key and value: it finds the values that a table of keys names, and shortens or
// splits a message that is too long. An encoding adds its tables and its Syntax.
package pairs

import (
	"fmt"

	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Syntax is how an encoding writes pairs.
type Syntax struct {
	Between byte // between two pairs
	Assign  byte // between a key and its value
	Values  Values
	// MaxToken is the length in bytes of the longest escape or character in a value.
	MaxToken int
	// PartKey is the key that numbers the parts of a split message, as in "Part:1/3".
	PartKey string
	// CheckKey says what is wrong with a key that the user chose, in addition to what no encoding allows.
	CheckKey func(key string) error
	// Head appends what precedes the pairs in every message, nothing between the two. nil is nothing.
	Head func(dst []byte, rec *record.Record) []byte
}

// Values is how an encoding writes values. It may keep buffers: each Encoder needs its own.
type Values interface {
	// Escape makes the value dst[from:] safe: afterwards it can neither end its pair nor start a message.
	Escape(dst []byte, from int) []byte
	// Cut returns the greatest length of an escaped value, at most n, that ends neither inside a character nor inside an
	// escape.
	Cut(value []byte, n int) int
}

// Encoder is an encode.Encoder. It keeps scratch buffers: use one for each goroutine.
type Encoder struct {
	syntax   Syntax
	overflow string
	tables   [][]column
	tableOf  func(rec *record.Record) int

	body  body
	text  []byte // the whole message: head and all pairs, their values escaped
	head  int    // length of the head in text
	items []item
	parts []part // of the split message
}

// item is one pair of the current message.
type item struct {
	column     *column
	start, end int // of the value, in text
	keep       int // bytes of the value that are written; an ellipsis follows when that is less than the whole
	dropped    bool
}

// New returns an Encoder for tables, of which tableOf chooses one for each record.
func New(s Syntax, tables []Table, tableOf func(rec *record.Record) int, c encode.Config) (*Encoder, error) {
	if err := Check(&s, c); err != nil {
		return nil, err
	}
	e := &Encoder{syntax: s, overflow: c.Overflow, tableOf: tableOf}
	if e.overflow == "" {
		e.overflow = encode.OverflowShorten
	}
	for i := range tables {
		columns, err := columnsOf(&tables[i], c.Fields)
		if err != nil {
			return nil, err
		}
		for j := range columns {
			e.body.index(columns[j].paths)
		}
		e.tables = append(e.tables, columns)
	}
	return e, nil
}

// Append implements encode.Encoder. A record that cannot be split is shortened.
func (e *Encoder) Append(dst []byte, ends []int, rec *record.Record, known jsonscan.Known, budget int) ([]byte, []int, encode.Result, error) {
	if err := e.collect(rec, known); err != nil {
		return dst, ends, encode.Whole, err
	}
	switch {
	case len(e.items) == 0:
		return dst, ends, encode.Whole, encode.ErrEmpty
	case len(e.text) <= budget:
		dst = append(dst, e.text...)
		return dst, append(ends, len(dst)), encode.Whole, nil
	case e.overflow == encode.OverflowSplit && e.split(budget):
		dst, ends = e.appendParts(dst, ends)
		return dst, ends, encode.Split, nil
	case e.overflow != encode.OverflowDrop && e.shorten(budget):
		dst = e.appendShortened(dst)
		return dst, append(ends, len(dst)), encode.Shortened, nil
	}
	return dst, ends, encode.Whole, encode.ErrTooLong
}

// collect fills text and items with the head and the pairs of rec.
func (e *Encoder) collect(rec *record.Record, known jsonscan.Known) error {
	e.items, e.text = e.items[:0], shrink(e.text)
	if err := e.body.read(rec, known); err != nil {
		return fmt.Errorf("body of the record: %w", err)
	}
	text := e.text
	if e.syntax.Head != nil {
		text = e.syntax.Head(text, rec)
	}
	e.head = len(text)
	columns := e.tables[e.tableOf(rec)]
	for i := range columns {
		c := &columns[i]
		before := len(text)
		if len(e.items) > 0 {
			text = append(text, e.syntax.Between)
		}
		text = append(append(text, c.key...), e.syntax.Assign)
		start := len(text)
		found := false
		for j := 0; j < len(c.paths) && !found; j++ {
			text, found = e.body.appendValue(text, &c.paths[j], rec)
		}
		if !found {
			text = text[:before]
			continue
		}
		text = e.syntax.Values.Escape(text, start)
		e.items = append(e.items, item{column: c, start: start, end: len(text), keep: len(text) - start})
	}
	e.text = text
	return nil
}

// maxScratch is the largest buffer in bytes that is kept from one record to the next.
const maxScratch = 256 << 10

func shrink(b []byte) []byte {
	if cap(b) > maxScratch {
		return nil
	}
	return b[:0]
}

// value is the escaped text of an item.
func (e *Encoder) value(it *item) []byte { return e.text[it.start:it.end] }

// length is how many bytes of the item's value are written, ellipsis included.
func (it *item) length() int {
	if it.keep < it.end-it.start {
		return it.keep + len(ellipsis)
	}
	return it.keep
}

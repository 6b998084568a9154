package objectstore

import (
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/record"
)

// maxKeptLines is how large a buffer of lines a Batch keeps from one use to the next.
const maxKeptLines = 32 << 20

// Batch gathers the lines of records by partition, partitions and lines in the order of arrival. The zero value is ready;
// it is for one goroutine. In the steady state Add does not allocate.
type Batch struct {
	parts []Part
	index map[Partition]int
	last  int // the part of the record before, mostly also of the next one

	days Days
}

// Part is the lines of one object to be.
type Part struct {
	Partition
	First   time.Time // of the first record
	Lines   []byte    // valid until the Batch is reset
	Records int
}

// Add adds a record under its event type, or under eventType when that is set, and under the day of its own time, or of at
// when that is set. Nothing of the record is held.
func (b *Batch) Add(rec *record.Record, eventType string, at time.Time) {
	p := b.days.PartitionOf(rec, at)
	if eventType != "" {
		p.EventType = eventType
	}
	b.add(p, rec.EventTime(), rec.Body)
}

func (b *Batch) add(p Partition, first time.Time, body string) {
	i := b.last
	if i >= len(b.parts) || b.parts[i].Partition != p {
		var ok bool
		if i, ok = b.index[p]; !ok {
			i = b.open(p, first)
		}
		b.last = i
	}
	part := &b.parts[i]
	part.Lines = AppendLine(part.Lines, body)
	part.Records++
}

// open makes a part, in the buffer of one before where there is one.
func (b *Batch) open(p Partition, first time.Time) int {
	p = Partition{EventType: strings.Clone(p.EventType), Day: p.Day, Account: strings.Clone(p.Account)}
	i := len(b.parts)
	if i < cap(b.parts) {
		b.parts = b.parts[:i+1]
	} else {
		b.parts = append(b.parts, Part{})
	}
	b.parts[i] = Part{Partition: p, First: first, Lines: b.parts[i].Lines[:0]}
	if b.index == nil {
		b.index = make(map[Partition]int)
	}
	b.index[p] = i
	return i
}

// Parts are what was gathered since the last Reset; they are the Batch's own.
func (b *Batch) Parts() []Part { return b.parts }

// Reset makes the Batch empty for the next use.
func (b *Batch) Reset() {
	kept := 0
	for i := range b.parts {
		if kept += cap(b.parts[i].Lines); kept > maxKeptLines {
			b.parts[i].Lines = nil
		}
	}
	clear(b.index)
	b.parts, b.last = b.parts[:0], 0
}

package objectstore

import (
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/record"
)

// maxKeptLines is how large a buffer of lines a Grouper keeps from one use to the next.
const maxKeptLines = 32 << 20

// Grouper groups the lines of records by partition, partitions and lines in the order of arrival. The zero value is ready; it
// is for one goroutine. In the steady state Add does not allocate.
type Grouper struct {
	parts []Part
	index map[Partition]int
	last  int // the part of the record before, mostly also of the next one

	days Days
}

// Part is the lines of one future object.
type Part struct {
	Partition
	First   time.Time // of the first record
	Lines   []byte    // valid until the Grouper is reset
	Records int
}

// Add adds a record under its event type, or under eventType when that is set, and under the day of its own time, or of at
// when that is set. Nothing of the record is kept.
func (g *Grouper) Add(rec *record.Record, eventType string, at time.Time) {
	p := g.days.PartitionOf(rec, at)
	if eventType != "" {
		p.EventType = eventType
	}
	g.add(p, rec.EventTime(), rec.Body)
}

func (g *Grouper) add(p Partition, first time.Time, body string) {
	i := g.last
	if i >= len(g.parts) || g.parts[i].Partition != p {
		var ok bool
		if i, ok = g.index[p]; !ok {
			i = g.open(p, first)
		}
		g.last = i
	}
	part := &g.parts[i]
	part.Lines = AppendLine(part.Lines, body)
	part.Records++
}

// open makes a part. It reuses the buffer of an earlier one when there is one.
func (g *Grouper) open(p Partition, first time.Time) int {
	p = Partition{EventType: strings.Clone(p.EventType), Day: p.Day, Account: strings.Clone(p.Account)}
	i := len(g.parts)
	if i < cap(g.parts) {
		g.parts = g.parts[:i+1]
	} else {
		g.parts = append(g.parts, Part{})
	}
	g.parts[i] = Part{Partition: p, First: first, Lines: g.parts[i].Lines[:0]}
	if g.index == nil {
		g.index = make(map[Partition]int)
	}
	g.index[p] = i
	return i
}

// Parts are the parts since the last Reset; they are the Grouper's own.
func (g *Grouper) Parts() []Part { return g.parts }

// Reset makes the Grouper empty for the next use.
func (g *Grouper) Reset() {
	kept := 0
	for i := range g.parts {
		if kept += cap(g.parts[i].Lines); kept > maxKeptLines {
			g.parts[i].Lines = nil
		}
	}
	clear(g.index)
	g.parts, g.last = g.parts[:0], 0
}

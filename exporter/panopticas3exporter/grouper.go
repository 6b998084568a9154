package panopticas3exporter

import (
	"slices"
	"time"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
)

// grouper gathers records in order of arrival and makes requests of them, in which they are by partition. It keeps its room
// from one request to the next, so that a request costs three allocations however many partitions it has. The zero value is
// ready; it is for one goroutine.
type grouper struct {
	parts  []part
	counts []int // records of each part
	index  map[objectstore.Partition]int
	bytes  int // as request.bytes

	bodies []string
	at     []int // the part of each
}

// For how many records and parts a grouper keeps room. It clears that of its parts each time.
const (
	maxKeptRecords = 10_000
	maxKeptParts   = 1_000
)

// full reports that one more record would be too much.
func (g *grouper) full(most limits, body string) bool {
	return len(g.bodies) > 0 && (len(g.bodies) >= most.records || requestOverhead+g.bytes+len(body)+recordOverhead+partOverhead > most.bytes)
}

func (g *grouper) add(p objectstore.Partition, first time.Time, body string) {
	last := -1
	if n := len(g.at); n > 0 {
		last = g.at[n-1] // mostly also that of this one
	}
	if last < 0 || g.parts[last].Partition != p {
		last = g.part(p, first)
	}
	g.counts[last]++
	g.at = append(g.at, last)
	g.bodies = append(g.bodies, body)
	g.bytes += len(body) + recordOverhead
}

func (g *grouper) part(p objectstore.Partition, first time.Time) int {
	if i, ok := g.index[p]; ok {
		return i
	}
	if g.index == nil {
		g.index = make(map[objectstore.Partition]int)
	}
	i := len(g.parts)
	g.index[p] = i
	g.parts = append(g.parts, part{Partition: p, first: first})
	g.counts = append(g.counts, 0)
	g.bytes += partOverhead
	return i
}

// request is what was gathered, in parts, with the room that it has in the queue; the grouper is empty afterwards.
func (g *grouper) request(room int) *request {
	r := &request{parts: slices.Clone(g.parts), records: len(g.bodies), bytes: g.bytes, room: room}
	bodies := make([]string, len(g.bodies))
	end := 0
	for i, n := range g.counts {
		r.parts[i].bodies = bodies[end : end : end+n]
		end += n
	}
	for i, body := range g.bodies {
		p := &r.parts[g.at[i]]
		p.bodies = append(p.bodies, body)
	}
	if len(g.bodies) > maxKeptRecords || len(g.parts) > maxKeptParts {
		*g = grouper{}
		return r
	}
	clear(g.parts)
	clear(g.bodies)
	clear(g.index)
	*g = grouper{parts: g.parts[:0], counts: g.counts[:0], index: g.index, bodies: g.bodies[:0], at: g.at[:0]}
	return r
}

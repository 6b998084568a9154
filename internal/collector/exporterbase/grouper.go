package exporterbase

import (
	"slices"
	"time"
)

// grouper gathers items in order of arrival and makes requests of them, in which they are by partition. It keeps its room
// from one request to the next, so that a request costs three allocations however many partitions it has. It is for one goroutine.
type grouper[P comparable, I any] struct {
	form   *Form[P, I]
	parts  []Part[P, I]
	counts []int // items of each part
	index  map[P]int
	bytes  int // as request.bytes
	items  []I
	at     []int // the part of each

	placed bool // parts know the places of their items in the batch
	first  int  // place of the first item
}

// For how many items and parts a grouper keeps room. It clears that of its parts each time.
const (
	maxKeptItems = 10_000
	maxKeptParts = 1_000
)

// full reports that one more item would be too much.
func (g *grouper[P, I]) full(most limits, bytes int) bool {
	return len(g.items) > 0 && (len(g.items) >= most.items || requestOverhead+g.bytes+bytes+partOverhead > most.bytes)
}

func (g *grouper[P, I]) add(key P, first time.Time, item I, bytes int) {
	last := -1
	if n := len(g.at); n > 0 {
		last = g.at[n-1] // mostly also that of this one
	}
	if last < 0 || g.parts[last].Key != key {
		last = g.part(key, first)
	}
	g.counts[last]++
	g.at = append(g.at, last)
	g.items = append(g.items, item)
	g.bytes += bytes
}

func (g *grouper[P, I]) part(key P, first time.Time) int {
	if i, ok := g.index[key]; ok {
		return i
	}
	if g.index == nil {
		g.index = make(map[P]int)
	}
	i := len(g.parts)
	g.index[key] = i
	g.parts = append(g.parts, Part[P, I]{Key: key, First: first})
	g.counts = append(g.counts, 0)
	g.bytes += partOverhead
	return i
}

// request is what was gathered, in parts, with the room that it has in the queue; the grouper is empty afterwards.
func (g *grouper[P, I]) request(room int) *request[P, I] {
	r := &request[P, I]{form: g.form, parts: slices.Clone(g.parts), items: len(g.items), bytes: g.bytes, room: room}
	items := make([]I, len(g.items))
	var places []int
	if g.placed {
		places = make([]int, len(g.items))
	}
	end := 0
	for i, n := range g.counts {
		r.parts[i].Items = items[end : end : end+n]
		if g.placed {
			r.parts[i].places = places[end : end : end+n]
		}
		end += n
	}
	for i, item := range g.items {
		p := &r.parts[g.at[i]]
		p.Items = append(p.Items, item)
		if g.placed {
			p.places = append(p.places, g.first+i)
		}
	}
	g.first += len(g.items)
	if len(g.items) > maxKeptItems || len(g.parts) > maxKeptParts {
		*g = grouper[P, I]{form: g.form, placed: g.placed, first: g.first}
		return r
	}
	clear(g.parts)
	clear(g.items)
	clear(g.index)
	*g = grouper[P, I]{form: g.form, placed: g.placed, first: g.first, parts: g.parts[:0], counts: g.counts[:0], index: g.index, items: g.items[:0], at: g.at[:0]}
	return r
}

package exporterbase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
)

// What a request and a partition in it take in memory beside the items, so that sending_queue::queue_size in bytes is near the
// truth.
const (
	requestOverhead = 512
	partOverhead    = 128
)

// request is what waits in queue and batcher: items by partition. An incoming batch is one request; a batch on its way to the
// destination is one request, too, of all those that were merged. It is not a plog.Logs, because exporterhelper measures all that
// one holds each time something is added to it: with records of 50 accounts in turn that alone cost three times what all the rest
// does (bench, case A). It also keeps partitions apart inside one batch: the batcher's own partitions, when they go idle while its
// workers are busy, wait for each other for ever (exporterhelper v0.158, internal/queuebatch/multi_batcher.go).
//
// A request is for one goroutine at a time. Items keep texts of the incoming batch, which never change.
type request[P comparable, I any] struct {
	form  *Form[P, I]
	parts []Part[P, I]
	items int
	bytes int // of parts and items, with their overheads

	// room is what a single item counts in the queue at most; 0 is no bound. One that counts more than the queue holds would
	// never come in: exporterhelper refuses it each time, or has it wait for ever and others with it.
	room int

	index map[P]int // of parts, when there are many
}

// fewParts is up to how many parts are looked through; more are looked up.
const fewParts = 8

// Part is the items of one partition in a request. It is for one goroutine at a time.
type Part[P comparable, I any] struct {
	Key   P
	First time.Time // event time of the first record; zero where it has none
	Items []I
	// Encoded is what the destination made of the items, see SetEncoded.
	Encoded []byte

	places []int // of the items in the incoming batch; nil where a queue comes between
}

// SetEncoded lets go of the items. What the destination made of them takes their place, for the next try; nil for none.
func (p *Part[P, I]) SetEncoded(encoded []byte) {
	clear(p.Items) // the array holds items of other parts, too
	p.Items, p.Encoded = nil, encoded
}

// RemoveDone removes the items that are delivered, or will never be.
func (p *Part[P, I]) RemoveDone(done []bool) {
	left, places := p.Items[:0], p.places[:0]
	for i, item := range p.Items {
		if done[i] {
			continue
		}
		left = append(left, item)
		if p.places != nil {
			places = append(places, p.places[i])
		}
	}
	clear(p.Items[len(left):])
	p.Items, p.places = left, places
}

var _ xexporterhelper.RequestErrorHandler = (*request[string, string])(nil)

// ItemsCount is the number of records.
func (r *request[P, I]) ItemsCount() int { return r.items }

// BytesSize is what the request counts in the queue.
func (r *request[P, I]) BytesSize() int {
	if r.items == 1 && r.room > 0 {
		return min(r.memory(), r.room)
	}
	return r.memory()
}

// memory is about what the request takes in memory.
func (r *request[P, I]) memory() int { return requestOverhead + r.bytes }

// size is the request in what limits of batches are given in.
func (r *request[P, I]) size(sizer exporterhelper.RequestSizerType) int {
	if sizer == exporterhelper.RequestSizerTypeBytes {
		return r.memory()
	}
	return r.items
}

// add adds an item to the part i.
func (r *request[P, I]) add(i int, item I) {
	r.parts[i].Items = append(r.parts[i].Items, item)
	r.items++
	r.bytes += r.form.Items.Bytes(item)
}

// part is the index of the part of key, which is made where there is none.
func (r *request[P, I]) part(key P, first time.Time) int {
	if i := r.find(key); i >= 0 {
		return i
	}
	return r.open(key, first)
}

// find is the index of the part of key, -1 where there is none.
func (r *request[P, I]) find(key P) int {
	if len(r.parts) <= fewParts {
		return slices.IndexFunc(r.parts, func(part Part[P, I]) bool { return part.Key == key })
	}
	if r.index == nil {
		r.index = make(map[P]int, 2*len(r.parts))
		for i := range r.parts {
			r.index[r.parts[i].Key] = i
		}
	}
	if i, ok := r.index[key]; ok {
		return i
	}
	return -1
}

// open makes the part of key, of which there is none.
func (r *request[P, I]) open(key P, first time.Time) int {
	i := len(r.parts)
	if r.index != nil {
		r.index[key] = i
	}
	r.parts = append(r.parts, Part[P, I]{Key: key, First: first})
	r.bytes += partOverhead
	return i
}

// MergeSplit adds other, unless nil, and cuts what is larger than limit into requests that are not, except for items that alone
// are larger: each of those has a request of its own. A limit of 0 is none. The first result is r itself with what there was room
// for, all others hold nothing but items of other: the batcher takes what r held for stored when the first is.
func (r *request[P, I]) MergeSplit(_ context.Context, limit int, sizer exporterhelper.RequestSizerType, other xexporterhelper.Request) ([]xexporterhelper.Request, error) {
	if other == nil {
		if limit == 0 || r.size(sizer) <= limit {
			return []xexporterhelper.Request{r}, nil
		}
		return (&request[P, I]{form: r.form}).fill(r, limit, sizer), nil
	}
	o, ok := other.(*request[P, I])
	if !ok {
		return nil, fmt.Errorf("a %T cannot be merged with a %T", other, r)
	}
	if limit == 0 || r.size(sizer)+o.size(sizer) <= limit {
		r.merge(o)
		return []xexporterhelper.Request{r}, nil
	}
	return r.fill(o, limit, sizer), nil
}

// merge adds all of o.
func (r *request[P, I]) merge(o *request[P, I]) {
	for i := range o.parts {
		from := &o.parts[i]
		at := r.find(from.Key)
		if at < 0 {
			// The key is mostly a part of a body, which may go before the last of its partition does.
			at = r.open(r.form.Keys.Clone(from.Key), from.First)
		}
		r.parts[at].Items = append(r.parts[at].Items, from.Items...)
	}
	r.items += o.items
	r.bytes += o.bytes - len(o.parts)*partOverhead
}

// fill adds the items of from as long as there is room, and puts the others into requests of their own.
func (r *request[P, I]) fill(from *request[P, I], limit int, sizer exporterhelper.RequestSizerType) []xexporterhelper.Request {
	out := []xexporterhelper.Request{r}
	for i := range from.parts {
		p := &from.parts[i]
		at := r.find(p.Key)
		for _, item := range p.Items {
			if r.items > 0 && r.sizeWith(at, item, sizer) > limit {
				r, at = &request[P, I]{form: r.form}, -1
				out = append(out, r)
			}
			if at < 0 {
				at = r.open(p.Key, p.First)
			}
			r.add(at, item)
		}
	}
	return out
}

// sizeWith is the size with one more item in the part at, which is -1 when it has yet to be made.
func (r *request[P, I]) sizeWith(at int, item I, sizer exporterhelper.RequestSizerType) int {
	if sizer != exporterhelper.RequestSizerTypeBytes {
		return r.items + 1
	}
	size := r.memory() + r.form.Items.Bytes(item)
	if at < 0 {
		size += partOverhead
	}
	return size
}

// partlyDelivered is the error of a request of which a part is delivered.
type partlyDelivered struct {
	error
	rest xexporterhelper.Request
}

func (e *partlyDelivered) Unwrap() error { return e.error }

// OnError is what is to be sent again after an error.
func (r *request[P, I]) OnError(err error) xexporterhelper.Request {
	var partly *partlyDelivered
	if errors.As(err, &partly) {
		return partly.rest
	}
	return r
}

package panopticas3exporter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
)

// What a request, a partition in it and a record take in memory beside the bodies, so that sending_queue.queue_size in bytes
// is near the truth.
const (
	requestOverhead = 512
	partOverhead    = 128
	recordOverhead  = 64
)

// request is what waits in queue and batcher: the bodies of records, by partition. An incoming batch is one request, a batch
// on its way to the store another, of all those that were merged. The exporter has a request of its own because the one of
// plog.Logs measures all that a batch holds each time something is added to it: with records of 50 accounts in turn that alone
// cost three times what all the rest does (bench, case A). It also keeps partitions apart inside one batch: the batcher's own
// partitions, when they go idle while its workers are busy, wait for each other for ever (exporterhelper v0.158,
// internal/queuebatch/multi_batcher.go; TestPartitionsThatGoIdle).
//
// A request is for one goroutine at a time. Bodies are the strings of the incoming batch, never changed, and copied once: when
// they become the lines of an object.
type request struct {
	parts   []part
	records int
	bytes   int // of parts and records, with their overheads

	// room is what a single record counts in the queue at most; 0 is no bound. One that counts more than the queue holds would
	// never come in: exporterhelper refuses it each time, or has it wait for ever and others behind it.
	room int

	index map[objectstore.Partition]int // of parts, when there are many
}

// fewParts is up to how many parts are looked through; more are looked up.
const fewParts = 8

// part is the records of one partition.
type part struct {
	objectstore.Partition
	first  time.Time // event time of the first record
	bodies []string
	lines  []byte // in place of bodies, when the first try has put many into one
}

// setLines lets go of the bodies; the room behind them is that of other parts too.
func (p *part) setLines(lines []byte) {
	clear(p.bodies)
	p.bodies, p.lines = nil, lines
}

var _ xexporterhelper.RequestErrorHandler = (*request)(nil)

// ItemsCount is the number of records.
func (r *request) ItemsCount() int { return r.records }

// BytesSize is what the request counts in the queue.
func (r *request) BytesSize() int {
	if r.records == 1 && r.room > 0 {
		return min(r.memory(), r.room)
	}
	return r.memory()
}

// memory is about what the request takes in memory.
func (r *request) memory() int { return requestOverhead + r.bytes }

// size is the request in what limits of batches are given in.
func (r *request) size(sizer exporterhelper.RequestSizerType) int {
	if sizer == exporterhelper.RequestSizerTypeBytes {
		return r.memory()
	}
	return r.records
}

// add adds a record to the part i.
func (r *request) add(i int, body string) {
	r.parts[i].bodies = append(r.parts[i].bodies, body)
	r.records++
	r.bytes += len(body) + recordOverhead
}

// part is the index of the part of p, which is made where there is none.
func (r *request) part(p objectstore.Partition, first time.Time) int {
	if i := r.find(p); i >= 0 {
		return i
	}
	return r.open(p, first)
}

// find is the index of the part of p, -1 where there is none.
func (r *request) find(p objectstore.Partition) int {
	if len(r.parts) <= fewParts {
		return slices.IndexFunc(r.parts, func(part part) bool { return part.Partition == p })
	}
	if r.index == nil {
		r.index = make(map[objectstore.Partition]int, 2*len(r.parts))
		for i := range r.parts {
			r.index[r.parts[i].Partition] = i
		}
	}
	if i, ok := r.index[p]; ok {
		return i
	}
	return -1
}

// open makes the part of p, of which there is none.
func (r *request) open(p objectstore.Partition, first time.Time) int {
	i := len(r.parts)
	if r.index != nil {
		r.index[p] = i
	}
	r.parts = append(r.parts, part{Partition: p, first: first})
	r.bytes += partOverhead
	return i
}

// MergeSplit adds other, unless nil, and cuts what is larger than limit into requests that are not, but for records that
// alone are larger: those go alone. A limit of 0 is none. The first result is r itself with what there was room for, all
// others hold nothing but records of other: the batcher takes what r held for stored when the first is.
func (r *request) MergeSplit(_ context.Context, limit int, sizer exporterhelper.RequestSizerType, other xexporterhelper.Request) ([]xexporterhelper.Request, error) {
	if other == nil {
		if limit == 0 || r.size(sizer) <= limit {
			return []xexporterhelper.Request{r}, nil
		}
		return new(request).fill(r, limit, sizer), nil
	}
	o, ok := other.(*request)
	if !ok {
		return nil, fmt.Errorf("panoptica_s3 cannot merge a %T", other)
	}
	if limit == 0 || r.size(sizer)+o.size(sizer) <= limit {
		r.merge(o)
		return []xexporterhelper.Request{r}, nil
	}
	return r.fill(o, limit, sizer), nil
}

// merge adds all of o.
func (r *request) merge(o *request) {
	for i := range o.parts {
		from := &o.parts[i]
		at := r.find(from.Partition)
		if at < 0 {
			p := from.Partition
			p.Account = strings.Clone(p.Account) // mostly a part of a body, which may go before the last of its partition does
			at = r.open(p, from.first)
		}
		r.parts[at].bodies = append(r.parts[at].bodies, from.bodies...)
	}
	r.records += o.records
	r.bytes += o.bytes - len(o.parts)*partOverhead
}

// fill adds the records of from as long as there is room, and puts the others into requests of their own.
func (r *request) fill(from *request, limit int, sizer exporterhelper.RequestSizerType) []xexporterhelper.Request {
	out := []xexporterhelper.Request{r}
	for i := range from.parts {
		p := &from.parts[i]
		at := r.find(p.Partition)
		for _, body := range p.bodies {
			if r.records > 0 && r.sizeWith(at, body, sizer) > limit {
				r, at = &request{}, -1
				out = append(out, r)
			}
			if at < 0 {
				at = r.open(p.Partition, p.first)
			}
			r.add(at, body)
		}
	}
	return out
}

// sizeWith is the size with one more record in the part at, which is -1 when it has yet to be made.
func (r *request) sizeWith(at int, body string, sizer exporterhelper.RequestSizerType) int {
	if sizer != exporterhelper.RequestSizerTypeBytes {
		return r.records + 1
	}
	size := r.memory() + len(body) + recordOverhead
	if at < 0 {
		size += partOverhead
	}
	return size
}

// partlyStored is the error of a request of which a part is stored.
type partlyStored struct {
	error
	rest *request
}

func (e *partlyStored) Unwrap() error { return e.error }

// OnError is what is to be sent again after an error.
func (r *request) OnError(err error) xexporterhelper.Request {
	var partly *partlyStored
	if errors.As(err, &partly) {
		return partly.rest
	}
	return r
}

// encoding is the form of requests in a persistent queue: a version, and for each part its partition, time and bodies, each
// text after its length.
type encoding struct{ room int } // of the requests that are read

const encodingVersion = 1

// Marshal never fails. The context holds nothing that outlives a restart.
func (encoding) Marshal(_ context.Context, r xexporterhelper.Request) ([]byte, error) {
	req := r.(*request)
	dst := make([]byte, 0, req.memory())
	text := func(s string) {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	dst = append(dst, encodingVersion)
	for i := range req.parts {
		p := &req.parts[i]
		text(p.EventType)
		text(p.Day)
		text(p.Account)
		dst = binary.AppendVarint(dst, p.first.Unix())
		dst = binary.AppendUvarint(dst, uint64(len(p.bodies)))
		for _, body := range p.bodies {
			text(body)
		}
	}
	return dst, nil
}

// Unmarshal reads what Marshal wrote. It fails on anything else.
func (e encoding) Unmarshal(stored []byte) (context.Context, xexporterhelper.Request, error) {
	ctx := context.Background()
	if len(stored) < 2 || stored[0] != encodingVersion {
		return ctx, nil, errors.New("stored request: not of this version")
	}
	d := decoder{rest: string(stored[1:])}
	req := &request{room: e.room}
	for d.rest != "" && d.err == nil {
		p := objectstore.Partition{EventType: d.text(), Day: d.text(), Account: d.text()}
		first := time.Unix(d.varint(), 0).UTC()
		n := d.uvarint()
		i := req.part(p, first)
		for ; n > 0 && d.err == nil; n-- {
			if body := d.text(); d.err == nil {
				req.add(i, body)
			}
		}
	}
	if d.err != nil {
		return ctx, nil, d.err
	}
	return ctx, req, nil
}

// decoder reads from the front of rest. After an error it returns zero values.
type decoder struct {
	rest string
	err  error
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return ""
	}
	text := d.rest[:n]
	d.rest = d.rest[n:]
	return text
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint([]byte(d.rest[:min(len(d.rest), binary.MaxVarintLen64)]))
	return v * uint64(d.skip(n))
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint([]byte(d.rest[:min(len(d.rest), binary.MaxVarintLen64)]))
	return v * int64(d.skip(n))
}

// skip steps over a number of n bytes; it is 1, or 0 where there was none.
func (d *decoder) skip(n int) int {
	if n <= 0 || d.err != nil {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return 1
}

func (d *decoder) fail() {
	d.rest, d.err = "", errors.New("stored request: torn")
}

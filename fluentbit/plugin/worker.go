package plugin

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
)

// worker is the scratch that one flush needs: it makes records of a chunk. In the steady state it allocates nothing for a
// record that needs no change.
type worker struct {
	chunk  chunk
	parser process.Parser
	screen process.Screen
	format string // of records that name none
	event  event
	rec    record.Record
	recs   records

	placed bool             // the sink asks for members
	places []jsonscan.Where // of recs
}

// maxKeptRecords is how many records a worker keeps room for from one chunk to the next.
const maxKeptRecords = 64 << 10

// maxKeptPlaces is the same for their members: some 20 each, at 12 bytes.
const maxKeptPlaces = 20 * maxKeptRecords

func newWorker(c *config) (*worker, error) {
	parser, err := format.NewParser(c.source)
	if err != nil {
		return nil, err
	}
	return &worker{
		chunk:  chunk{recordKey: c.recordKey},
		parser: parser,
		screen: process.Screen{Exclude: c.exclude, DropInvalid: c.onInvalid == invalidDrop},
		format: c.source.Format,
		placed: c.output == outputSyslog,
	}, nil
}

// reset lets go of the chunk and its records.
func (w *worker) reset() {
	if cap(w.recs) > maxKeptRecords {
		w.recs = nil
	}
	if cap(w.places) > maxKeptPlaces {
		w.places = nil
	}
	clear(w.recs)
	w.places = w.places[:0]
	w.recs, w.rec, w.event = w.recs[:0], record.Record{}, event{}
	w.chunk.reset(nil)
}

// run fills recs with the records of the chunk that go on.
func (w *worker) run(data []byte, a *attempt) *counts {
	n := &counts{}
	w.reset()
	w.chunk.reset(data)
	for more := true; more; {
		more = w.some(a, n)
	}
	return n
}

// some makes records until the chunk ends or one makes us panic: that one becomes invalid, and more is true.
func (w *worker) some(a *attempt, n *counts) (more bool) {
	parsing := false
	defer func() {
		if !parsing { // a panic elsewhere is not the record's
			return
		}
		if r := recover(); r != nil {
			e := &w.event
			rec := format.NewInvalid(e.raw, w.formatOf(e), fmt.Sprintf("panic: %v", r), w.received(e, a))
			w.keep(&rec, a, n)
			more = true
		}
	}()
	for w.chunk.next(&w.event) {
		e := &w.event
		n.in++
		switch {
		case e.broken != "":
			rec := format.NewInvalid(e.raw, w.formatOf(e), e.broken, w.received(e, a))
			w.keep(&rec, a, n)
		case strings.TrimSpace(e.raw) == "":
			n.drop(process.Empty)
		default:
			parsing = true
			w.parse(e, a, n)
			parsing = false
		}
	}
	return false
}

// parse makes the records of one event. A panic leaves none of them.
func (w *worker) parse(e *event, a *attempt, n *counts) {
	before := len(w.recs)
	defer func() {
		if before >= 0 { // a panic
			w.recs = w.recs[:before]
		}
	}()
	in := format.Context{Format: e.format, Fields: e.fields, Received: w.received(e, a), Object: w.chunk.object}
	header, file := process.Parse(w.parser, e.raw, in, &w.rec)
	made := 0
	if file {
		made, file = process.Apart(w.parser, e.raw, in, w.format, nil, func(_ *payload.Item, rec *record.Record) {
			if rec != nil { // else the end of a scan, which nothing here waits for
				w.keep(rec, a, n)
			}
		})
	}
	switch {
	case header:
		n.drop(process.Header)
	case file && made == 0:
		n.drop(process.Empty)
	case !file:
		findings := w.parser.Findings()
		w.keep(&w.rec, a, n)
		if w.placed && len(w.recs) > before {
			w.place(&w.recs[before])
		}
		for i := range findings {
			w.keep(&findings[i], a, n)
		}
	}
	before = -1
}

// keep adds a record unless it is dropped.
func (w *worker) keep(rec *record.Record, a *attempt, n *counts) {
	if rec.EventType == record.Invalid {
		if n.invalid == 0 {
			n.firstError = strings.Clone(rec.Error)
		}
		n.invalid++
	}
	if reason, _ := w.screen.Drops(rec, a.list, a.at); reason != "" {
		n.drop(reason)
		return
	}
	if !record.Representable(rec.Time) { // as inside the Collector
		rec.Time = time.Time{}
	}
	w.recs = append(w.recs, entry{Record: *rec})
}

// place keeps what the parser knows of the record that it parsed last, so that its body need not be scanned again.
func (w *worker) place(e *entry) {
	if o, ok := w.parser.Object(&e.Record); ok {
		from := len(w.places)
		w.places = jsonscan.AppendWhere(w.places, e.Body, o.Members)
		e.known = jsonscan.Known{Places: w.places[from:len(w.places):len(w.places)], Shape: o.Shape}
	}
}

// received is when the record was taken in: the time of its event, which is the same whenever the chunk comes.
func (w *worker) received(e *event, a *attempt) time.Time {
	if e.time.IsZero() {
		return a.at
	}
	return e.time
}

func (w *worker) formatOf(e *event) string {
	if e.format != "" {
		return e.format
	}
	return w.format
}

// counts is what became of the records of one chunk.
type counts struct {
	in, invalid int
	firstError  string // of the first invalid one
	dropped     map[string]int
}

func (n *counts) drop(reason string) {
	if n.dropped == nil {
		n.dropped = make(map[string]int)
	}
	n.dropped[reason]++
}

// log says what is worth a line.
func (n *counts) log(i *Instance, tag string) {
	if n.invalid > 0 {
		what := "kept as invalid"
		switch {
		case i.cfg.onInvalid == invalidDrop:
			what = "dropped as invalid"
		case i.cfg.output == outputSyslog && !i.cfg.includeInvalid:
			what = "not sent, since they are invalid and include_invalid is off"
		}
		i.logf(Warn, "%s: %d of %d records %s, first: %s", tag, n.invalid, n.in, what, n.firstError)
	}
	if len(n.dropped) > 0 {
		reasons := make([]string, 0, len(n.dropped))
		for reason, count := range n.dropped {
			reasons = append(reasons, fmt.Sprintf("%s=%d", reason, count))
		}
		sort.Strings(reasons)
		i.logf(Debug, "%s: %d records, dropped: %s", tag, n.in, strings.Join(reasons, " "))
	}
}

package plugin

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/process/suppress"
	"github.com/siempipe/siempipe/internal/record"
)

// processor is the part of *process.Processor that a worker uses.
type processor interface {
	Start(*process.Text)
	Next() *process.Outcome
	Decide(*process.Outcome, *suppress.List, time.Time)
	Object(*process.Outcome) (o format.Object, ok bool)
	Release()
}

// worker is the scratch that one flush needs: it makes records of a chunk. In the steady state it allocates nothing for a
// record that needs no change.
type worker struct {
	chunk     chunk
	processor processor
	event     event
	text      process.Text // of event
	recs      records

	placed bool             // the sink asks for members
	places []jsonscan.Where // of recs
}

// maxKeptRecords is how many records a worker keeps room for from one chunk to the next.
const maxKeptRecords = 64 << 10

// maxKeptPlaces is the same for their members: some 20 each, at 12 bytes.
const maxKeptPlaces = 20 * maxKeptRecords

func newWorker(c *config) (*worker, error) {
	p, err := process.New(process.Options{Parsing: c.source, Exclude: c.exclude, DropInvalid: c.onInvalid == invalidDrop})
	if err != nil {
		return nil, err
	}
	return &worker{chunk: chunk{recordKey: c.recordKey}, processor: p, placed: c.output == outputSyslog}, nil
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
	w.recs, w.places = w.recs[:0], w.places[:0]
	w.event, w.text = event{}, process.Text{}
	w.processor.Release()
	w.chunk.reset(nil)
}

// run fills recs with the chunk's records that continue.
func (w *worker) run(data []byte, a *attempt) *counts {
	n := &counts{}
	w.reset()
	w.chunk.reset(data)
	for more := true; more; {
		more = w.processEvents(a, n)
	}
	return n
}

// processEvents processes events until the chunk ends. An event that makes us panic ends it too: that one becomes an invalid record,
// and more is true.
func (w *worker) processEvents(a *attempt, n *counts) (more bool) {
	before := -1 // records before the event under way; a panic outside of one is not the event's
	defer func() {
		if before < 0 {
			return
		}
		if r := recover(); r != nil {
			w.recs = w.recs[:before] // none of the event's own
			w.text.Broken = fmt.Sprintf("panic: %v", r)
			w.processText(a, n)
			more = true
		}
	}()
	for w.chunk.next(&w.event) {
		n.in++
		before = len(w.recs)
		w.readText(a)
		w.processText(a, n)
		before = -1
	}
	return false
}

// readText sets the text to that of the event.
func (w *worker) readText(a *attempt) {
	e, t := &w.event, &w.text
	t.Raw, t.Broken, t.Format, t.Fields, t.Object = e.raw, e.broken, e.format, e.fields, w.chunk.object
	if t.Received = e.time; e.time.IsZero() { // the time of its event is the same whenever the chunk comes
		t.Received = a.at
	}
}

// processText keeps the records of the text that continue.
func (w *worker) processText(a *attempt, n *counts) {
	p := w.processor
	p.Start(&w.text)
	for out := p.Next(); out != nil; out = p.Next() {
		p.Decide(out, a.list, a.at)
		n.add(out)
		if out.Dropped == "" {
			w.keep(out)
		}
	}
}

// keep adds a record, with what the parser knows of it, so that its body need not be scanned again.
func (w *worker) keep(out *process.Outcome) {
	w.recs = append(w.recs, entry{Record: out.Record})
	e := &w.recs[len(w.recs)-1]
	if !record.Representable(e.Time) { // as inside the Collector
		e.Time = time.Time{}
	}
	if !w.placed {
		return
	}
	if o, ok := w.processor.Object(out); ok {
		from := len(w.places)
		w.places = jsonscan.AppendWhere(w.places, e.Body, o.Members)
		e.known = jsonscan.Known{Places: w.places[from:len(w.places):len(w.places)], Shape: o.Shape}
	}
}

// counts is what became of the records of one chunk.
type counts struct {
	in, invalid int
	firstError  string // of the first invalid one
	dropped     map[string]int
}

func (n *counts) add(out *process.Outcome) {
	if out.Record.EventType == record.Invalid {
		if n.invalid == 0 {
			n.firstError = strings.Clone(out.Record.Error)
		}
		n.invalid++
	}
	if out.Dropped == "" {
		return
	}
	if n.dropped == nil {
		n.dropped = make(map[string]int)
	}
	n.dropped[out.Dropped]++
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

package findingstateprocessor

import (
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/findingstate"
	"github.com/siempipe/siempipe/internal/record"
)

// kind is what a log record is to the processor.
type kind uint8

const (
	isOther kind = iota // no finding: goes on as it came
	isScan              // says how far a scan is
	isFinding
)

// item is one log record of a batch.
type item struct {
	place
	kind   kind
	bytes  int
	obs    int // index of the observation
	scanID string
	status findingstate.Status
}

// reader reads batches. It holds scratch; keep one for each goroutine.
type reader struct {
	observer *findingstate.Observer
	items    []item
	obs      []findingstate.Observation
	load     []*findingstate.Observation
	findings int
	scans    bool // some findings are of a scan with an id
	rec      record.Record
}

// read takes a batch apart. Nothing of it is changed.
func (r *reader) read(logs plog.Logs) {
	n := logs.LogRecordCount()
	r.items, r.obs, r.load, r.findings, r.scans = r.items[:0], r.obs[:0], r.load[:0], 0, false
	if cap(r.obs) < n {
		r.obs = make([]findingstate.Observation, 0, n) // never grows: load points into it
	}
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				r.items = append(r.items, item{place: place{rl, sl, lr}})
				r.readOne(&r.items[len(r.items)-1])
			}
		}
	}
}

func (r *reader) readOne(it *item) {
	attrs := it.record.Attributes()
	eventType, ok := attrs.Get(record.AttrEventType)
	if !ok {
		return
	}
	if id, ok := attrs.Get(record.AttrScanID); ok {
		it.scanID = id.AsString()
	}
	if status, ok := attrs.Get(record.AttrScanStatus); ok {
		it.status = findingstate.ParseStatus(status.AsString())
	}
	if eventType.Str() == record.Scan && it.scanID != "" {
		it.kind = isScan
		r.findings++
		return
	}
	if !findingstate.IsFinding(eventType.Str(), "") || logrecord.Read(it.record, &r.rec) != nil {
		return
	}
	if !findingstate.IsFinding(r.rec.EventType, r.rec.Format) || r.rec.ID == "" {
		return
	}
	r.obs = r.obs[:len(r.obs)+1]
	if r.observer.Observe(&r.rec, it.scanID, &r.obs[len(r.obs)-1]) != nil {
		r.obs = r.obs[:len(r.obs)-1] // what cannot be read goes on as it came
		return
	}
	if rule, ok := attrs.Get(record.AttrSuppressed); ok && rule.Str() != "" {
		r.obs[len(r.obs)-1].Suppress()
	}
	r.scans = r.scans || it.scanID != ""
	it.kind, it.obs, it.bytes = isFinding, len(r.obs)-1, len(r.rec.Body)
	r.findings++
}

// reset lets go of the batch, so that a pooled reader keeps none alive.
func (r *reader) reset() {
	clear(r.items)
	clear(r.obs)
	clear(r.load)
	r.rec = record.Record{}
}

package findingstate

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// maxScans bounds the scans that are known at a time. Findings of more go on as if they had no scan.
	maxScans = 1 << 16
	// maxScanID is the longest scan id, in bytes; longer ones are taken for none.
	maxScanID = 256
	// discardAtOnce bounds how many waiting batches one batch deletes.
	discardAtOnce = 64
)

// Status is how far a scan is.
type Status string

// Statuses of scans.
const (
	Running   Status = "running"
	Completed Status = "completed"
	Failed    Status = "failed"
)

// ParseStatus reads a scan's status as vendors and scripts write it. "" means that nothing is said; every word that is not
// known is a scan that is still running.
func ParseStatus(word string) Status {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "":
		return ""
	case "completed", "complete", "succeeded", "success", "successful", "finished", "done":
		return Completed
	case "failed", "failure", "error", "aborted", "canceled", "cancelled", "timeout", "timed_out":
		return Failed
	}
	return Running
}

// scan is a scan that names itself. Times are in milliseconds.
type scan struct {
	ID       string `json:"id"`
	No       uint32 `json:"no"`
	Status   Status `json:"status,omitempty"`
	Released bool   `json:"released,omitempty"` // its findings wait no longer, though it has not completed
	Created  int64  `json:"created"`
	Start    int64  `json:"start,omitempty"` // of the first finding that went on
	Last     int64  `json:"last,omitempty"`
	First    uint32 `json:"first,omitempty"` // waiting batches: from First up to Next
	Next     uint32 `json:"next,omitempty"`
	Bytes    int64  `json:"bytes,omitempty"`
	Records  int    `json:"records,omitempty"`
	Closed   bool   `json:"closed,omitempty"` // what did not come again has been noted

	scopes map[uint32]struct{}
}

func (sc *scan) waits() bool { return sc.First < sc.Next }

// changeScan returns a scan for changing; nil when there are too many, or the id is none.
func (tx *Transaction) changeScan(name string) *scan {
	if sc := tx.scans[name]; sc != nil {
		return sc
	}
	old := tx.t.open.Scans[name]
	if old == nil && (name == "" || len(name) > maxScanID || len(tx.t.open.Scans)+int(tx.newScan) >= maxScans) {
		return nil
	}
	sc := new(scan)
	if old != nil {
		*sc = *old
	} else {
		*sc = scan{ID: strings.Clone(name), No: tx.t.open.NextScan + tx.newScan, Created: tx.now}
		tx.newScan++
	}
	if tx.scans == nil {
		tx.scans = map[string]*scan{}
	}
	tx.scans[sc.ID] = sc
	return sc
}

// Route says what becomes of a record of a scan.
type Route uint8

// Routes.
const (
	Pass Route = iota
	Wait
	Discard
)

// Route takes what a record, or an event, says of its scan and returns what becomes of findings of it.
func (tx *Transaction) Route(name string, status Status) Route {
	sc := tx.changeScan(name)
	if sc == nil {
		return Pass
	}
	if status != "" && (status != sc.Status || sc.waits()) {
		sc.Status, sc.Last = status, tx.now
	}
	switch {
	case !tx.t.opts.OnScanCompleted:
		return Pass
	case sc.Status == Failed:
		return Discard
	case (sc.Status == Completed || sc.Released) && !sc.waits():
		return Pass
	}
	return Wait
}

// ErrWaitingFull means that as many findings wait as may. It passes when some of them have gone on.
var ErrWaitingFull = errors.New("as many findings wait for their scans as may wait (max_waiting_bytes)")

// Hold keeps records of a scan until it has completed. When they reach the limit, the scan is waited for no longer, and Hold returns
// ErrWaitingFull until enough findings have gone on.
func (tx *Transaction) Hold(name string, data []byte, records int) error {
	sc := tx.changeScan(name)
	if tx.t.open.waitingBytes >= tx.t.opts.MaxWaitingBytes {
		return ErrWaitingFull
	}
	value := binary.AppendUvarint(make([]byte, 0, len(data)+4), uint64(records))
	value = append(value, data...)
	tx.chunks = append(tx.chunks, Op{Kind: Set, Key: chunkKey(sc.No, sc.Next), Value: value})
	sc.Next++
	sc.Bytes += int64(len(value))
	sc.Records += records
	sc.Last = tx.now
	tx.waiting += int64(len(value))
	if tx.t.open.waitingBytes+tx.waiting >= tx.t.opts.MaxWaitingBytes {
		sc.Released = true
	}
	return nil
}

// Waiting is a batch of records that waited.
type Waiting struct {
	ScanID  string
	Data    []byte
	Records int
	// Early says that the scan has not completed: it took too much room or too long.
	Early bool
}

// NextReleased returns the next records whose waiting is over, oldest scan first; ok is false when there are none. They are gone from
// the state with the batch's Commit. Of a damaged batch Data is nil.
func (tx *Transaction) NextReleased(ctx context.Context) (w Waiting, ok bool, err error) {
	var oldest *scan
	for _, sc := range tx.t.open.Scans {
		if sc.waits() && (sc.Status == Completed || sc.Released && sc.Status != Failed) && (oldest == nil || sc.No < oldest.No) {
			oldest = sc
		}
	}
	if oldest == nil {
		return w, false, nil
	}
	ops := []Op{{Kind: Get, Key: chunkKey(oldest.No, oldest.First)}}
	if err := tx.t.store.Batch(ctx, ops); err != nil {
		return w, false, fmt.Errorf("read the state: %w", err)
	}
	sc := tx.changeScan(oldest.ID)
	w = Waiting{ScanID: sc.ID, Early: sc.Status != Completed}
	w.Records, w.Data = tx.remove(sc, ops[0].Value)
	if w.Data == nil {
		tx.t.Damaged++
		tx.Incomplete(w.ScanID)
	}
	return w, true, nil
}

// Incomplete says that findings of a scan are lost: no finding must be marked not_seen because it did not come with this scan.
func (tx *Transaction) Incomplete(name string) {
	if sc := tx.changeScan(name); sc != nil {
		sc.Closed = true
	}
}

// remove takes the first waiting batch of a scan, whose value is given, out of the state.
func (tx *Transaction) remove(sc *scan, value []byte) (records int, data []byte) {
	n, size := binary.Uvarint(value)
	tx.chunks = append(tx.chunks, Op{Kind: Delete, Key: chunkKey(sc.No, sc.First)})
	sc.First++
	if size <= 0 {
		return 0, nil
	}
	sc.Bytes -= int64(len(value))
	sc.Records -= int(n)
	if !sc.waits() {
		sc.Bytes, sc.Records = 0, 0
	}
	return int(n), value[size:]
}

// Discard deletes waiting records of scans that failed and returns how many; more when there are more.
func (tx *Transaction) Discard(ctx context.Context) (records int, more bool, err error) {
	for _, failed := range tx.t.open.Scans {
		if failed.Status != Failed || !failed.waits() {
			continue
		}
		sc := tx.changeScan(failed.ID)
		for n := 0; n < discardAtOnce && sc.waits(); n++ {
			ops := []Op{{Kind: Get, Key: chunkKey(sc.No, sc.First)}}
			if err := tx.t.store.Batch(ctx, ops); err != nil {
				return 0, false, fmt.Errorf("read the state: %w", err)
			}
			gone, _ := tx.remove(sc, ops[0].Value)
			records += gone
		}
		return records, true, nil
	}
	return 0, false, nil
}

// seenInScan notes the scope of a finding that went on.
func (tx *Transaction) seenInScan(sc *scan, scopeNumber uint32) {
	if sc.Start == 0 {
		sc.Start = tx.now
	}
	sc.Start, sc.Last = min(sc.Start, tx.now), tx.now
	if _, ok := sc.scopes[scopeNumber]; ok || scopeNumber == 0 || sc.Closed {
		return
	}
	if tx.touched == nil {
		tx.touched = map[string]map[uint32]struct{}{}
	}
	if tx.touched[sc.ID] == nil {
		tx.touched[sc.ID] = map[uint32]struct{}{}
	}
	tx.touched[sc.ID][scopeNumber] = struct{}{}
}

// closeScans notes what completed, lets go of what waited too long, and forgets what is over.
func (tx *Transaction) closeScans() {
	quiet, longest := tx.t.opts.QuietPeriod.Milliseconds(), tx.t.opts.MaxWaitingTime.Milliseconds()
	var names []string
	for name := range tx.t.open.Scans {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, c string) int {
		return cmp.Compare(tx.t.open.Scans[a].No, tx.t.open.Scans[c].No)
	})
	for _, name := range names {
		sc := tx.t.open.Scans[name]
		if ahead(max(sc.Created, sc.Last), tx.now) { // the clock was wrong
			sc = tx.changeScan(name)
			sc.Created, sc.Start, sc.Last = min(sc.Created, tx.now), min(sc.Start, tx.now), min(sc.Last, tx.now)
		}
		switch {
		case sc.waits():
			if sc.Status != Completed && sc.Status != Failed && !sc.Released && tx.now-max(sc.Last, sc.Created) >= longest {
				tx.changeScan(name).Released = true
			}
		case !sc.Closed && sc.Start != 0 && tx.now-sc.Last >= quiet && (sc.Status == Completed || sc.Status == ""):
			tx.changeScan(name).Closed = true
			for n := range sc.scopes {
				tx.rest.Closed = append(tx.rest.Closed, closed{n, sc.Start, 1<<16 - 1})
			}
		case tx.now-max(sc.Last, sc.Created) >= longest:
			tx.rest.Dropped = append(tx.rest.Dropped, name)
		}
	}
}

package findingsreceiver

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/receiver/findingsreceiver/internal/metadata"
)

// A batch ends at either bound. A thousand records are what the components behind are tuned for; the bytes bound memory
// where records are long.
const (
	maxBatchRecords = 1000
	maxBatchBytes   = 4 << 20
)

// scansPool holds Scans that are empty.
var scansPool = sync.Pool{New: func() any { return new(format.Scans) }}

// batcher gathers the records of one request and passes them on in batches. It is for one goroutine.
type batcher struct {
	f        *findings
	ctx      context.Context
	answer   *answer
	format   string // "" when the sender names none
	received time.Time

	logs    plog.Logs
	records plog.LogRecordSlice
	scans   *format.Scans // of the records
	n       int
	bytes   int
	events  int // of the batch: ends of scans, which are no records of the sender's
}

// add takes one record and passes the batch on when it is full.
func (b *batcher) add(item payload.Item) error {
	if b.n == 0 {
		b.logs = plog.NewLogs()
		scope := b.logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
		scope.Scope().SetName(metadata.ScopeName)
		b.records = scope.LogRecords()
		if b.scans == nil {
			b.scans = scansPool.Get().(*format.Scans)
		}
	}
	lr := b.records.AppendEmpty()
	if item.ScanEnd {
		logrecord.WriteScanEnd(item.ScanID, item.ScanStatus, b.received, lr)
		b.events++
	} else if err := logrecord.WriteItem(&item, b.format, "", b.received, b.scans, lr); err != nil {
		b.countInvalid(item, err)
	}
	b.n++
	b.bytes += len(item.Raw)
	if b.n >= maxBatchRecords || b.bytes >= maxBatchBytes {
		return b.flush()
	}
	return nil
}

// countInvalid tells the sender of a record that was written as invalid.
func (b *batcher) countInvalid(item payload.Item, err error) {
	b.f.telemetry.ReceiverFindingsRecordsInvalid.Add(b.ctx, 1)
	if len(b.answer.Invalid) < maxInvalidListed {
		b.answer.Invalid = append(b.answer.Invalid, invalidRecord{Index: item.Index, Error: err.Error()})
	} else {
		b.answer.InvalidTotal = max(b.answer.InvalidTotal, maxInvalidListed) + 1
	}
}

// close ends the use of the batcher, which must be empty.
func (b *batcher) close() {
	if b.scans != nil {
		b.scans.Reset()
		scansPool.Put(b.scans)
	}
}

// flush passes the batch on. Its error is a *refusedError.
func (b *batcher) flush() error {
	if b.n == 0 {
		return nil
	}
	logs, n := b.logs, b.n-b.events
	b.logs, b.records, b.n, b.bytes, b.events = plog.Logs{}, plog.LogRecordSlice{}, 0, 0, 0

	ctx := b.f.obs.StartLogsOp(b.ctx)
	shared := b.scans
	b.scans = nil
	scans, err := logrecord.PassWithScans(ctx, shared, func(ctx context.Context) error { return b.f.next.ConsumeLogs(ctx, logs) })
	b.scans = scans
	b.f.obs.EndLogsOp(ctx, metadata.Type.String(), n, err)
	if err == nil {
		b.answer.Accepted += n
		return nil
	}
	var partly consumererror.Logs
	if errors.As(err, &partly) {
		b.answer.Accepted += max(0, n-partly.Data().LogRecordCount())
	}
	if context.Cause(b.ctx) == errSlow && errors.Is(err, context.DeadlineExceeded) {
		err = errSlow
	}
	return &refusedError{err: err}
}

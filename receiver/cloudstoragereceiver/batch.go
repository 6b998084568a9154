package cloudstoragereceiver

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/collector/backoff"
	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/metadata"
)

// A batch ends at either bound. A thousand records are what the components behind are tuned for; the bytes bound memory
// where records are long.
const (
	maxBatchRecords = 1000
	maxBatchBytes   = 4 << 20
)

// The waits between offers of a batch that the pipeline cannot take now.
const (
	firstOfferDelay = 500 * time.Millisecond
	maxOfferDelay   = 30 * time.Second
)

// batch gathers records of one object. It holds them as they were cut and not as log records: the pipeline changes what it
// is offered, and a batch that was refused is offered again. It is for one goroutine.
type batch struct {
	c        *cloudStorage
	format   string
	address  string
	received time.Time

	items []payload.Item
	bytes int
	ends  int           // of the items: ends of scans, which are no records of the object
	scans *format.Scans // of the items
}

func (b *batch) add(item payload.Item) {
	b.items = append(b.items, item)
	b.bytes += len(item.Raw)
	if item.ScanEnd {
		b.ends++
	}
}

func (b *batch) full() bool { return len(b.items) >= maxBatchRecords || b.bytes >= maxBatchBytes }

// refusedError is the pipeline's no for good.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return "refused by the pipeline: " + e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// deliver offers the batch until the pipeline takes it, and empties it. Its error is a *refusedError or that of ctx.
func (b *batch) deliver(ctx context.Context) error {
	if len(b.items) == 0 {
		return nil
	}
	invalid := 0
	err := b.c.offer(ctx, len(b.items)-b.ends, func(ctx context.Context) error {
		if b.scans == nil {
			b.scans = new(format.Scans)
		}
		logs := plog.NewLogs()
		scope := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
		scope.Scope().SetName(metadata.ScopeName)
		records := scope.LogRecords()
		records.EnsureCapacity(len(b.items))
		invalid = 0
		for i := range b.items {
			if b.items[i].ScanEnd {
				logrecord.WriteScanEnd(b.items[i].ScanID, b.items[i].ScanStatus, b.received, records.AppendEmpty())
				continue
			}
			if logrecord.WriteItem(&b.items[i], b.format, b.address, b.received, b.scans, records.AppendEmpty()) != nil {
				invalid++
			}
		}
		var err error
		b.scans, err = logrecord.PassWithScans(ctx, b.scans, func(ctx context.Context) error { return b.c.next.ConsumeLogs(ctx, logs) })
		return err
	})
	if err != nil {
		return err
	}
	b.c.telemetry.ReceiverCloudStorageRecordsInvalid.Add(ctx, int64(invalid))
	clear(b.items) // lets go of the texts
	b.items, b.bytes, b.ends = b.items[:0], 0, 0
	return nil
}

// offer passes n records on until the pipeline takes them or refuses them for good.
func (c *cloudStorage) offer(ctx context.Context, n int, pass func(context.Context) error) error {
	refusals := backoff.Backoff{First: firstOfferDelay, Max: maxOfferDelay}
	for {
		obsCtx := c.obs.StartLogsOp(ctx)
		err := pass(obsCtx)
		c.obs.EndLogsOp(obsCtx, metadata.Type.String(), n, err)
		switch {
		case err == nil:
			c.telemetry.ReceiverCloudStorageRecords.Add(ctx, int64(n))
			c.totals.records.Add(int64(n))
			return nil
		case consumererror.IsPermanent(err):
			return &refusedError{err}
		case ctx.Err() != nil:
			return ctx.Err()
		}
		delay := refusals.Next()
		c.set.Logger.Debug(fmt.Sprintf("The pipeline does not take records now; offered again in %s", delay))
		if err := backoff.Sleep(ctx, delay); err != nil {
			return err
		}
	}
}

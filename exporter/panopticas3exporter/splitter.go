package panopticas3exporter

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/objectstore"
	"github.com/siempipe/siempipe/internal/otelqueue"
	"github.com/siempipe/siempipe/internal/otelrecord"
	"github.com/siempipe/siempipe/internal/record"
)

// partitionKey is the resource attribute that carries the partition of records through queue and batcher; the writer makes
// an object for each.
const partitionKey = "siempipe.partition"

// slotKey is the client metadata by which the batcher keeps batches apart: a number under maxSlots, always the same for a
// partition. Two partitions may share a slot, and then a batch; they never share an object.
const slotKey = "siempipe.slot"

// maxSlots bounds the batches that are open at the same time, each with its goroutine and timer, however many partitions
// records name: account IDs come from outside. Beyond 10,000 the batcher of exporterhelper v0.158 pushes the oldest out,
// waits for a worker within a worker, and stands still for ever (TestManyPartitions). With 100 partitions one pair shares a
// slot, which only makes their objects a little smaller.
const maxSlots = 4096

// splitter splits each incoming batch by partition before the queue: the batcher can keep requests apart, but not what
// is inside one.
type splitter struct {
	exporter.Logs // with queue, batcher and retry

	byExport  bool
	eventType string // "" is each record's own
	now       func() time.Time
}

// part is the records of one partition out of an incoming batch.
type part struct {
	partition objectstore.Partition
	name      string // of the partition
	logs      plog.Logs
	records   plog.LogRecordSlice
}

// Start starts the queue with a storage that keeps what it holds if the collector is killed meanwhile.
func (s *splitter) Start(ctx context.Context, host component.Host) error {
	careful := otelqueue.NewHost(host)
	if err := s.Logs.Start(ctx, careful); err != nil {
		return err
	}
	return careful.Started(ctx)
}

// ConsumeLogs passes the parts on, each under its partition. What the queue refuses comes back, and only that: parts
// that are in are not sent again.
func (s *splitter) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	at := time.Time{}
	if s.byExport {
		at = s.now()
	}
	parts := s.split(logs, at)
	var errs []error
	var refused map[objectstore.Partition]bool
	for i := range parts {
		p := &parts[i]
		if err := s.Logs.ConsumeLogs(withSlot(ctx, p.name), p.logs); err != nil {
			errs = append(errs, err)
			if refused == nil {
				refused = make(map[objectstore.Partition]bool)
			}
			refused[p.partition] = true
		}
	}
	err := errors.Join(errs...)
	if err == nil || len(refused) == len(parts) {
		return err
	}
	return consumererror.NewLogs(err, s.only(logs, refused, at))
}

func withSlot(ctx context.Context, partition string) context.Context {
	info := client.FromContext(ctx)
	info.Metadata = client.NewMetadata(map[string][]string{slotKey: {slotOf(partition)}})
	return client.NewContext(ctx, info)
}

// slotOf stays what it is from release to release: stored queues hold it.
func slotOf(partition string) string {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(partition))
	return strconv.FormatUint(uint64(hash.Sum32()%maxSlots), 10)
}

// split copies what an object needs of each record, its body and time, into one batch for each partition. Bodies are
// strings and are shared, not copied.
func (s *splitter) split(logs plog.Logs, at time.Time) []part {
	var parts []part
	var index map[objectstore.Partition]int // made with the second partition
	var rec record.Record
	last := -1
	for _, lr := range each(logs) {
		p := s.partitionOf(lr, &rec, at)
		if last < 0 || parts[last].partition != p {
			i, ok := index[p]
			if !ok {
				if index == nil {
					index = make(map[objectstore.Partition]int)
				}
				i = len(parts)
				index[p] = i
				parts = append(parts, newPart(p))
			}
			last = i
		}
		to := parts[last].records.AppendEmpty()
		to.SetTimestamp(pcommon.NewTimestampFromTime(rec.EventTime()))
		to.Body().SetStr(rec.Body)
	}
	return parts
}

func newPart(p objectstore.Partition) part {
	name, logs := p.String(), plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr(partitionKey, name)
	return part{partition: p, name: name, logs: logs, records: resource.ScopeLogs().AppendEmpty().LogRecords()}
}

func (s *splitter) partitionOf(lr plog.LogRecord, rec *record.Record, at time.Time) objectstore.Partition {
	if err := otelrecord.Read(lr, rec); err != nil { // a map that JSON cannot say: as much of it as text can
		rec.Body = lr.Body().AsString()
	}
	if s.eventType != "" {
		rec.EventType = s.eventType
	}
	if rec.EventTime().IsZero() {
		rec.Received = s.now()
	}
	return objectstore.PartitionOf(rec, at)
}

// only is the records of the refused partitions, whole.
func (s *splitter) only(logs plog.Logs, refused map[objectstore.Partition]bool, at time.Time) plog.Logs {
	out := plog.NewLogs()
	logs.CopyTo(out)
	var rec record.Record
	out.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			sl.LogRecords().RemoveIf(func(lr plog.LogRecord) bool { return !refused[s.partitionOf(lr, &rec, at)] })
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
	return out
}

// each yields every record with the resource it belongs to.
func each(logs plog.Logs) func(yield func(plog.ResourceLogs, plog.LogRecord) bool) {
	return func(yield func(plog.ResourceLogs, plog.LogRecord) bool) {
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					if !yield(rl, lr) {
						return
					}
				}
			}
		}
	}
}

package panopticas3exporter

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/objectstore"
	"github.com/siempipe/siempipe/internal/otelrecord"
	"github.com/siempipe/siempipe/internal/record"
)

// splitter splits each incoming batch by partition before the queue: the batcher can keep requests apart, but not what
// is inside one.
type splitter struct {
	exporter.Logs // with queue, batcher and retry

	byExport  bool
	eventType string // "" is each record's own
	now       func() time.Time

	writer *writer
}

// Shutdown sends what is queued. The writer is told first, so that a store that is away does not hold up the end.
func (s *splitter) Shutdown(ctx context.Context) error {
	s.writer.health.stopping()
	return s.Logs.Shutdown(ctx)
}

// requestKey is the context key of a request on its way to the queue.
type requestKey struct{}

// requestOf hands the queue the request that the splitter made: exporterhelper makes one request of one plog.Logs, and a
// plog.Logs for each partition would be built only to be taken apart.
func requestOf(ctx context.Context, _ plog.Logs) (xexporterhelper.Request, error) {
	return ctx.Value(requestKey{}).(*request), nil
}

// ConsumeLogs passes the parts on, each on its own. What the queue refuses comes back, and only that: parts that are in
// are not sent again.
func (s *splitter) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	at := time.Time{}
	if s.byExport {
		at = s.now()
	}
	requests := s.split(logs, at)
	none := plog.NewLogs()
	var errs []error
	var refused map[objectstore.Partition]bool
	for _, r := range requests {
		p := r.parts[0].Partition // the queue may hand r on before it returns
		if err := s.Logs.ConsumeLogs(context.WithValue(ctx, requestKey{}, r), none); err != nil {
			errs = append(errs, err)
			if refused == nil {
				refused = make(map[objectstore.Partition]bool)
			}
			refused[p] = true
		}
	}
	err := errors.Join(errs...)
	if err == nil || len(errs) == len(requests) {
		return err
	}
	return consumererror.NewLogs(err, s.only(logs, refused, at))
}

// maxRequestBytes bounds a request, but for a record that alone is larger: one that is larger than sending_queue.queue_size
// would never come into the queue. Objects so are at most some 12 MiB before compression.
const maxRequestBytes = 8 << 20

// split makes one request for each partition, or several where one would be too large. Bodies are shared, not copied.
func (s *splitter) split(logs plog.Logs, at time.Time) []*request {
	var requests []*request
	var index map[objectstore.Partition]*request // made with the second partition
	var current *request
	var rec record.Record
	var days objectstore.Days
	for lr := range each(logs) {
		p := s.partitionOf(lr, &rec, at, &days)
		if current == nil || current.parts[0].Partition != p {
			if current = index[p]; current == nil {
				if index == nil {
					index = make(map[objectstore.Partition]*request)
				}
				current = &request{parts: []part{{Partition: p, first: rec.EventTime()}}}
				index[p] = current
				requests = append(requests, current)
			}
		}
		if current.records > 0 && current.bytes+len(rec.Body) > maxRequestBytes {
			current = &request{parts: []part{{Partition: p, first: rec.EventTime()}}}
			index[p] = current
			requests = append(requests, current)
		}
		current.add(0, rec.Body)
	}
	return requests
}

func (s *splitter) partitionOf(lr plog.LogRecord, rec *record.Record, at time.Time, days *objectstore.Days) objectstore.Partition {
	if err := otelrecord.Read(lr, rec); err != nil { // a map that JSON cannot say: as much of it as text can
		rec.Body = lr.Body().AsString()
	}
	if s.eventType != "" {
		rec.EventType = s.eventType
	}
	if rec.EventTime().IsZero() {
		rec.Received = s.now()
	}
	return days.PartitionOf(rec, at)
}

// only is the records of the refused partitions, whole.
func (s *splitter) only(logs plog.Logs, refused map[objectstore.Partition]bool, at time.Time) plog.Logs {
	out := plog.NewLogs()
	logs.CopyTo(out)
	var rec record.Record
	var days objectstore.Days
	out.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			sl.LogRecords().RemoveIf(func(lr plog.LogRecord) bool { return !refused[s.partitionOf(lr, &rec, at, &days)] })
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
	return out
}

// each yields every record.
func each(logs plog.Logs) func(yield func(plog.LogRecord) bool) {
	return func(yield func(plog.LogRecord) bool) {
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					if !yield(lr) {
						return
					}
				}
			}
		}
	}
}

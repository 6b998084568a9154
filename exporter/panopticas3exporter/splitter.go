package panopticas3exporter

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/record"
)

// splitter groups the records of each incoming batch by partition before the queue: what is apart in a request stays so.
type splitter struct {
	exporter.Logs // with queue, batcher and retry

	byExport  bool
	eventType string // "" is each record's own
	limits    limits
	now       func() time.Time
	groupers  sync.Pool // of *grouper

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

// ConsumeLogs passes the records on. What the queue refuses comes back, and only that: what is in is not sent again.
func (s *splitter) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	requests := s.split(logs)
	none := plog.NewLogs()
	var errs []error
	var refused []bool // of each record, from the first error on
	records := 0
	for _, r := range requests {
		n := r.records // the queue may hand r on before it returns
		if err := s.Logs.ConsumeLogs(context.WithValue(ctx, requestKey{}, r), none); err != nil {
			errs = append(errs, err)
			if refused == nil {
				refused = make([]bool, logs.LogRecordCount())
			}
			for i := range n {
				refused[records+i] = true
			}
		}
		records += n
	}
	err := errors.Join(errs...)
	if err == nil || len(errs) == len(requests) {
		return err
	}
	return consumererror.NewLogs(err, only(logs, refused))
}

// maxRequestBytes bounds a request, but for a record that alone is larger: with batches of min_size and one request more, an
// object of a single partition is at most some 40 MiB before compression.
const maxRequestBytes = 8 << 20

// limits are the most that a request may hold.
type limits struct {
	bytes, records int
	room           int // as request.room
}

// newLimits takes half of a queue that is small: what is larger than all of the queue would never come into it, and what is
// nearly as large only when nothing else does.
func newLimits(queue configoptional.Optional[exporterhelper.QueueBatchConfig]) limits {
	most := limits{bytes: maxRequestBytes, records: math.MaxInt}
	if !queue.HasValue() {
		return most
	}
	half := int(max(1, queue.Get().QueueSize/2))
	switch queue.Get().Sizer {
	case exporterhelper.RequestSizerTypeBytes:
		most.bytes, most.room = min(most.bytes, half), half
	case exporterhelper.RequestSizerTypeItems:
		most.records = half
	}
	return most
}

// split makes one request of a batch, in which partitions are apart, or several where one would be too large: each then holds
// the records that follow those of the one before.
func (s *splitter) split(logs plog.Logs) []*request {
	at := time.Time{}
	if s.byExport {
		at = s.now()
	}
	g, _ := s.groupers.Get().(*grouper)
	if g == nil {
		g = new(grouper)
	}
	defer s.groupers.Put(g)
	var requests []*request
	var rec record.Record
	var days objectstore.Days
	for lr := range each(logs) {
		p := s.partitionOf(lr, &rec, at, &days)
		if g.full(s.limits, rec.Body) {
			requests = append(requests, g.request(s.limits.room))
		}
		g.add(p, rec.EventTime(), rec.Body)
	}
	if len(g.bodies) > 0 {
		requests = append(requests, g.request(s.limits.room))
	}
	return requests
}

func (s *splitter) partitionOf(lr plog.LogRecord, rec *record.Record, at time.Time, days *objectstore.Days) objectstore.Partition {
	if err := logrecord.Read(lr, rec); err != nil { // a map that JSON cannot say: as much of it as text can
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

// only is the records that were refused, whole.
func only(logs plog.Logs, refused []bool) plog.Logs {
	out := plog.NewLogs()
	logs.CopyTo(out)
	n := 0
	out.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			sl.LogRecords().RemoveIf(func(plog.LogRecord) bool {
				n++
				return !refused[n-1]
			})
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

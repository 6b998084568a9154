package exporterbase

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/collector/queue"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema"
)

// Partitioner says which partition a record belongs to. It may change the record before an item is made of it. It is used for one
// batch, by one goroutine.
type Partitioner[P comparable] func(rec *record.Record) P

// Settings are what an exporter adds to what all exporters share. Fields without a comment of their own are required.
type Settings[P comparable, I any] struct {
	Queue   configoptional.Optional[exporterhelper.QueueBatchConfig]
	Retry   configretry.BackOffConfig
	Timeout exporterhelper.TimeoutConfig // the zero value is none

	Form Form[P, I]
	// ReadOlder reads the log records of what an earlier version of the exporter stored in another form than Form; nil where there
	// was none.
	ReadOlder func(stored []byte) (plog.Logs, error)
	NewBatch  func() Partitioner[P]
	// Schema is what bodies look like in the queue and on their way out. Partitions are found first.
	Schema schema.Config
	// Item is what waits of a record.
	Item func(rec *record.Record) I

	// Send delivers one part. On an error it has removed from the part what is delivered all the same (RemoveDone). Several parts
	// of a request are sent at the same time, see Parallel.
	Send func(ctx context.Context, part *Part[P, I]) error
	// Parallel is how many parts of a request are sent at the same time.
	Parallel int
	// Classify joins the errors of parts to the one that decides when they are sent again: the only place where that is decided.
	// nil is errors.Join, which means soon.
	Classify func(errs []error) error
	// Remedy is what the operator can do about an error, "" when that is not known. A failure with another remedy is reported
	// again. nil knows none.
	Remedy func(err error) string
	// LastTries is how long after the beginning of a shutdown a destination that fails is still tried; 0 is not at all.
	LastTries time.Duration

	Start    component.StartFunc    // runs before the queue starts; nil is nothing
	Shutdown component.ShutdownFunc // runs when the queue is empty; nil is nothing
}

// Exporter is an exporter.Logs with queue, batcher and retry. It is safe for concurrent use.
type Exporter[P comparable, I any] struct {
	exporter.Logs

	settings Settings[P, I]
	logger   *zap.Logger
	queue    requestSender
	limits   limits
	scratch  sync.Pool // of *scratch[P, I]
	// Health is the state of the destination. Set its patience before Start.
	Health Health

	unprocessed sync.Once // the warning about records that no siem processor has seen
	unmapped    sync.Once // the warning about records that keep their body, which the schema cannot express
}

// scratch is what one incoming batch needs.
type scratch[P comparable, I any] struct {
	grouper[P, I]
	mapping *schema.Mapping
}

// requestSender puts a request into the queue. What exporterhelper's constructors return has this method (v0.158,
// internal/base_exporter.go), so that a batch may become several requests, or one that is no plog.Logs.
type requestSender interface {
	Send(ctx context.Context, r xexporterhelper.Request) error
}

// New returns the exporter. It fails where exporterhelper does.
func New[P comparable, I any](ctx context.Context, set exporter.Settings, s Settings[P, I]) (*Exporter[P, I], error) {
	if s.Classify == nil {
		s.Classify = func(errs []error) error { return errors.Join(errs...) }
	}
	if s.Remedy == nil {
		s.Remedy = func(error) string { return "" }
	}
	e := &Exporter[P, I]{settings: s, logger: set.Logger, limits: newLimits(s.Queue)}
	e.Health.logger, e.Health.remedy, e.Health.patience = set.Logger, s.Remedy, s.LastTries
	mapping, err := s.Schema.New()
	if err != nil {
		return nil, err
	}
	e.scratch.Put(e.newScratch(mapping))
	stored := encoding[P, I]{form: &e.settings.Form, room: e.limits.room}
	if s.ReadOlder != nil {
		stored.older = e.readOlder
	}
	inner, err := xexporterhelper.NewLogsRequest(ctx, set, notAsked, e.push,
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(s.Timeout),
		exporterhelper.WithRetry(s.Retry),
		xexporterhelper.WithQueueBatch(s.Queue, xexporterhelper.QueueBatchSettings{Encoding: stored}),
		exporterhelper.WithStart(e.start),
		exporterhelper.WithShutdown(s.Shutdown))
	if err != nil {
		return nil, err
	}
	sender, ok := inner.(requestSender)
	if !ok {
		return nil, errors.New("exporterhelper takes no requests: this version of the Collector is not supported")
	}
	e.queue, e.Logs = sender, queue.Logs{Logs: inner}
	return e, nil
}

// notAsked is exporterhelper's way from a batch to one request, which ConsumeLogs does not take.
func notAsked(context.Context, plog.Logs) (xexporterhelper.Request, error) {
	return nil, errors.New("records come in by ConsumeLogs of exporterbase")
}

func (e *Exporter[P, I]) newScratch(mapping *schema.Mapping) *scratch[P, I] {
	return &scratch[P, I]{grouper: grouper[P, I]{form: &e.settings.Form}, mapping: mapping}
}

func (e *Exporter[P, I]) start(ctx context.Context, host component.Host) error {
	e.Health.host = host
	return e.settings.Start.Start(ctx, host)
}

// Shutdown sends what is queued. Send is told first that the end has begun, so that a destination that is away does not hold it up.
func (e *Exporter[P, I]) Shutdown(ctx context.Context) error {
	e.Health.stopping()
	return e.Logs.Shutdown(ctx)
}

// ConsumeLogs puts the records into the queue. What the queue refuses comes back, and only that: what is in is not sent again.
func (e *Exporter[P, I]) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	requests := e.split(logs)
	var errs []error
	var refused []bool // of each record, from the first error on
	records := 0
	for _, r := range requests {
		n := r.items // the queue may pass r on before it returns
		if err := e.queue.Send(ctx, r); err != nil {
			errs = append(errs, err)
			if refused == nil {
				refused = make([]bool, logs.LogRecordCount())
			}
			markRefused[P, I](refused[records:records+n], records, err)
		}
		records += n
	}
	err := errors.Join(errs...)
	if err == nil || !slices.Contains(refused, false) {
		return err
	}
	return consumererror.NewLogs(err, logrecord.Subset(logs, func(i int) bool { return refused[i] }))
}

// markRefused marks the records of a request that failed, the first of them at place from of the batch: those that are left of it
// where no queue comes between, and otherwise all.
func markRefused[P comparable, I any](refused []bool, from int, err error) {
	var partly *partlyDelivered
	if errors.As(err, &partly) {
		left := false
		for _, p := range partly.rest.(*request[P, I]).parts {
			for _, place := range p.places {
				refused[place-from], left = true, true
			}
		}
		if left {
			return
		}
	}
	for i := range refused {
		refused[i] = true
	}
}

// split makes one request of a batch, in which partitions are apart, or several where one would be too large: each then holds
// the records that follow those of the one before.
func (e *Exporter[P, I]) split(logs plog.Logs) (requests []*request[P, I]) {
	g, ok := e.scratch.Get().(*scratch[P, I])
	if !ok {
		mapping, err := e.settings.Schema.New()
		if err != nil { // the same schema was found by New
			panic(err)
		}
		g = e.newScratch(mapping)
	}
	defer e.scratch.Put(g)
	g.placed, g.first = !e.settings.Queue.HasValue(), 0
	partition := e.settings.NewBatch()
	var rec record.Record
	for lr := range logrecord.All(logs) {
		if err := logrecord.Read(lr, &rec); err != nil { // a map that JSON cannot say: as much of it as text can
			rec.Body = lr.Body().AsString()
		}
		if rec.EventType == "" {
			e.unprocessed.Do(e.warnUnprocessed)
		}
		key := partition(&rec)
		if _, err := g.mapping.Map(&rec, jsonscan.Known{}); err != nil {
			e.unmapped.Do(func() {
				e.logger.Warn("Records keep the body that they have: the schema cannot express them", zap.NamedError("first", err))
			})
		}
		item := e.settings.Item(&rec)
		bytes := e.settings.Form.Items.Bytes(item)
		if g.full(e.limits, bytes) {
			requests = append(requests, g.request(e.limits.room))
		}
		g.add(key, rec.EventTime(), item, bytes)
	}
	if len(g.items) > 0 {
		requests = append(requests, g.request(e.limits.room))
	}
	return requests
}

func (e *Exporter[P, I]) warnUnprocessed() {
	e.logger.Warn("Records come without siem.event_type: no siem processor has seen them. Put the siem processor into the pipelines of this exporter.")
}

// readOlder makes one request of what an earlier version of the exporter stored.
func (e *Exporter[P, I]) readOlder(stored []byte) (xexporterhelper.Request, error) {
	logs, err := e.settings.ReadOlder(stored)
	if err != nil {
		return nil, err
	}
	all := &request[P, I]{form: &e.settings.Form, room: e.limits.room}
	for _, r := range e.split(logs) {
		all.merge(r)
	}
	return all, nil
}

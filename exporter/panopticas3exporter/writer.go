package panopticas3exporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/exporter/panopticas3exporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/objectstore"
)

// maxPooledLines is how large a buffer of lines is kept between batches.
const maxPooledLines = 2 * defaultMaxBatchBytes

// writer makes objects of batches and puts them into the store. It is safe for concurrent use.
type writer struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	store     objectstore.Store
	host      component.Host
	release   func()    // of the claim on the bucket
	lines     sync.Pool // of *[]byte

	mu      sync.Mutex
	failing bool // what was reported last
}

func newWriter(set exporter.Settings, cfg *Config) (*writer, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &writer{cfg: cfg, logger: set.Logger, telemetry: telemetry, lines: sync.Pool{New: func() any { return new([]byte) }}}, nil
}

func (w *writer) start(ctx context.Context, host component.Host) error {
	w.host = host
	var err error
	if w.cfg.Directory != "" {
		w.store, err = objectstore.NewDirectory(w.cfg.Directory)
	} else {
		w.store, err = objectstore.NewS3(ctx, w.cfg.s3())
		// A receiver of this collector must not read what is written here.
		w.release = objectstore.Claim(objectstore.Destination{Endpoint: w.cfg.Endpoint, Bucket: w.cfg.Bucket, Root: w.cfg.Root})
	}
	if err != nil {
		return err
	}
	if w.cfg.TestMessage == testOnStart {
		w.test(ctx)
	}
	return nil
}

func (w *writer) shutdown(context.Context) error {
	w.telemetry.Shutdown()
	if w.release != nil {
		w.release()
	}
	if closer, ok := w.store.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// testEventType is the folder of test messages.
const testEventType = "test"

// test puts one object, as Panoptica's console does on Test Message. A store that is down does not keep the collector
// from starting: records wait in the queue.
func (w *writer) test(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.TimeoutConfig.Timeout)
	defer cancel()
	now := time.Now().UTC()
	p := objectstore.Partition{EventType: testEventType, Day: now.Format(time.DateOnly), Account: "siempipe"}
	line := fmt.Appendf(nil, `{"test":true,"message":"siempipe can write here","sent_at":"%s"}`+"\n", now.Format(time.RFC3339Nano))
	if err := w.put(ctx, p, now, line); err != nil {
		w.logger.Error("Test message not stored", zap.Error(err))
		return
	}
	w.logger.Info("Test message stored", zap.String("key", p.Key(w.cfg.Root, "")))
}

// object is the lines of one object to be.
type object struct {
	name  string // of the partition
	first time.Time
	lines []byte
}

// push stores a batch. It holds one partition, unless something put several together: then each gets its own object.
func (w *writer) push(ctx context.Context, logs plog.Logs) error {
	buf := w.lines.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= maxPooledLines {
			w.lines.Put(buf)
		}
	}()
	objects := w.gather(logs, buf)
	failed := make(map[string]bool)
	var errs []error
	for _, o := range objects {
		p, err := objectstore.ParsePartition(o.name)
		if err == nil {
			err = w.put(ctx, p, o.first, o.lines)
		}
		if err != nil {
			errs = append(errs, err)
			failed[o.name] = true
		}
	}
	w.report(errors.Join(errs...))
	switch {
	case len(errs) == 0:
		return nil
	case len(objects) == 1:
		return verdict(errs[0])
	default:
		rest := plog.NewLogs()
		logs.CopyTo(rest)
		rest.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool { return !failed[nameOf(rl)] })
		return consumererror.NewLogs(verdict(errors.Join(errs...)), rest)
	}
}

// gather lays out the lines of each partition in the order of arrival. With one partition, which is the rule, buf holds
// them and is used again.
func (w *writer) gather(logs plog.Logs, buf *[]byte) []object {
	var objects []object
	index := make(map[string]int, 1)
	for rl, lr := range each(logs) {
		name := nameOf(rl)
		i, ok := index[name]
		if !ok {
			i = len(objects)
			index[name] = i
			o := object{name: name, first: lr.Timestamp().AsTime()}
			if i == 0 {
				o.lines = (*buf)[:0]
			}
			objects = append(objects, o)
		}
		objects[i].lines = objectstore.AppendLine(objects[i].lines, lr.Body().Str())
	}
	if len(objects) > 0 {
		*buf = objects[0].lines
	}
	return objects
}

func nameOf(rl plog.ResourceLogs) string {
	name, _ := rl.Resource().Attributes().Get(partitionKey)
	return name.Str()
}

func (w *writer) put(ctx context.Context, p objectstore.Partition, first time.Time, lines []byte) error {
	o, err := objectstore.NewObject(w.cfg.Root, p, first, lines, objectstore.Compression(w.cfg.Compression))
	if err != nil {
		return err
	}
	existed, err := w.store.Put(ctx, o)
	if err != nil {
		return fmt.Errorf("put %s: %w", o.Key, err)
	}
	if existed {
		w.telemetry.ExporterPanopticaS3ObjectsExisting.Add(ctx, 1)
		return nil
	}
	w.telemetry.ExporterPanopticaS3Objects.Add(ctx, 1)
	w.telemetry.ExporterPanopticaS3ObjectsBytes.Add(ctx, int64(len(o.Content)))
	return nil
}

// report tells the collector's health when it changes.
func (w *writer) report(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if (err != nil) == w.failing {
		return
	}
	w.failing = err != nil
	if err != nil {
		componentstatus.ReportStatus(w.host, componentstatus.NewRecoverableErrorEvent(err))
	} else {
		componentstatus.ReportStatus(w.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// verdict tells the retry sender what the store said: the one place where it is decided.
func verdict(err error) error {
	var store *objectstore.Error
	switch {
	case !errors.As(err, &store):
		return err
	case store.Permanent:
		return consumererror.NewPermanent(err)
	case store.RetryAfter > 0:
		return exporterhelper.NewThrottleRetry(err, store.RetryAfter)
	}
	return err
}

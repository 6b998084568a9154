package panopticas3exporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/exporter/panopticas3exporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/collector/buckets"
	"github.com/siempipe/siempipe/internal/collector/exporterbase"
	"github.com/siempipe/siempipe/internal/collector/meter"
	"github.com/siempipe/siempipe/internal/deliver/objectstore"
)

// maxPooledLines is how large a buffer of lines is kept between batches. A larger one takes the place of the records, so that
// a batch of one partition is not twice in memory.
const maxPooledLines = 4 << 20

// maxUploads is how many objects of one batch are uploaded at the same time: a batch of many small ones waits for the store most
// of its time.
const maxUploads = 8

// lastTries is how long after the beginning of a shutdown a store that fails is still tried: with the try that is under way some
// 40 s in all, within the 90 s that systemd gives.
const lastTries = 10 * time.Second

// writer makes objects of batches and puts them into the store. It is safe for concurrent use.
type writer struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	store     objectstore.Store
	release   func()    // of the claim on the bucket
	lines     sync.Pool // of *[]byte
	health    *exporterbase.Health
	closing   sync.Once
}

func newWriter(set exporter.Settings, cfg *Config) (*writer, error) {
	telemetry, err := metadata.NewTelemetryBuilder(meter.Labeled(set.TelemetrySettings, component.KindExporter, set.ID))
	if err != nil {
		return nil, err
	}
	return &writer{
		cfg: cfg, logger: set.Logger, telemetry: telemetry,
		lines: sync.Pool{New: func() any { return new([]byte) }},
	}, nil
}

func (w *writer) start(ctx context.Context, _ component.Host) error {
	if w.store == nil {
		if err := w.open(ctx); err != nil {
			return err
		}
	}
	if w.cfg.TestMessage == testOnStart {
		w.test(ctx)
	}
	return nil
}

func (w *writer) open(ctx context.Context) (err error) {
	if w.cfg.Directory != "" {
		w.store, err = objectstore.NewDirectory(w.cfg.Directory)
		return err
	}
	if w.store, err = objectstore.NewS3(ctx, w.cfg.s3()); err != nil {
		return err
	}
	// A receiver of this collector must not read what is written here.
	w.release = buckets.Written.Claim(objectstore.Destination{Endpoint: w.cfg.Endpoint, Bucket: w.cfg.Bucket, Root: w.cfg.Root})
	return nil
}

func (w *writer) shutdown(context.Context) (err error) {
	w.closing.Do(func() {
		w.telemetry.Shutdown()
		if w.release != nil {
			w.release()
		}
		if closer, ok := w.store.(io.Closer); ok {
			err = closer.Close()
		}
	})
	return err
}

// testTimeout bounds how long a store that does not answer keeps the collector from starting.
const testTimeout = 10 * time.Second

// test puts one object, as Panoptica's console does on Test Message, and says in log and status how it went. A store that
// is down or refuses does not keep the collector from starting: records wait in the queue until somebody mended it.
func (w *writer) test(ctx context.Context) {
	if timeout := min(testTimeout, w.cfg.TimeoutConfig.Timeout); timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	o, err := objectstore.TestMessage(w.cfg.Root, time.Now())
	if err == nil {
		err = w.putObject(ctx, o)
	}
	w.health.Report(err)
	if err != nil {
		w.logger.Error("Test message not stored; records wait until the store takes them", zap.Error(err))
		return
	}
	w.logger.Info("Test message stored", zap.String("key", o.Key))
}

// send stores the object of a part and lets go of its records.
func (w *writer) send(ctx context.Context, p *part) error {
	lines := p.Encoded
	if lines == nil {
		buf := w.lines.Get().(*[]byte)
		defer w.lines.Put(buf)
		*buf = objectstore.AppendLines((*buf)[:0], p.Items)
		if lines = *buf; cap(lines) > maxPooledLines {
			p.SetEncoded(lines)
			*buf = nil
		}
	}
	o, err := objectstore.NewObject(w.cfg.Root, p.Key, p.First, lines, objectstore.Compression(w.cfg.Compression))
	if err != nil {
		return err
	}
	if err := w.putObject(ctx, o); err != nil {
		return err
	}
	p.SetEncoded(nil) // others of the batch may take long yet
	return nil
}

func (w *writer) putObject(ctx context.Context, o objectstore.Object) error {
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

// remedy is what the operator can do about an error of the store.
func remedy(err error) string {
	var store *objectstore.Error
	if errors.As(err, &store) {
		return store.Hint
	}
	return ""
}

// classify tells the retry sender what the store said of each partition. As long as one of them can get better they are tried
// again together.
func classify(errs []error) error {
	err := errors.Join(errs...)
	permanent := true
	var wait time.Duration
	for _, e := range errs {
		var store *objectstore.Error
		if !errors.As(e, &store) {
			permanent = false
			continue
		}
		permanent = permanent && store.Permanent
		wait = max(wait, store.RetryAfter)
	}
	switch {
	case permanent:
		return consumererror.NewPermanent(err)
	case wait > 0:
		return exporterhelper.NewThrottleRetry(err, wait)
	}
	return err
}

package siemprocessor

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/meter"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/process/suppress"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/processor/siemprocessor/internal/metadata"
)

// siem parses and filters batches of log records. It is safe for concurrent use.
type siem struct {
	cfg       *Config
	id        component.ID
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	now       func() time.Time
	workers   sync.Pool // of *worker

	joiner *joiner       // nil without join_syslog
	next   consumer.Logs // for lines whose scan did not come

	suppressions *suppress.File // nil if none are configured
	stop         context.CancelFunc
	stopped      sync.WaitGroup
}

// worker is the scratch that one batch needs.
type worker struct {
	processor *process.Processor
	text      process.Text
	known     record.Record // for text.Known
}

func newWorker(cfg *Config) (*worker, error) {
	p, err := process.New(cfg.options())
	return &worker{processor: p}, err
}

// release lets go of the batch's texts.
func (w *worker) release() {
	w.processor.Release()
	w.text, w.known = process.Text{}, record.Record{}
}

func newSiem(set processor.Settings, cfg *Config, next consumer.Logs) (*siem, error) {
	telemetry, err := metadata.NewTelemetryBuilder(meter.Labeled(set.TelemetrySettings, component.KindProcessor, set.ID))
	if err != nil {
		return nil, err
	}
	first, err := newWorker(cfg)
	if err != nil {
		return nil, err
	}
	p := &siem{cfg: cfg, id: set.ID, logger: set.Logger, telemetry: telemetry, now: time.Now, next: next}
	p.workers.New = func() any {
		w, err := newWorker(cfg)
		if err != nil { // the same options made a worker above
			panic(err)
		}
		return w
	}
	p.workers.Put(first)
	if cfg.joins() {
		p.joiner = newJoiner(cfg.JoinWindow, cfg.JoinMaxBytes)
	}
	return p, nil
}

func (p *siem) start(ctx context.Context, host component.Host) error {
	run, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	if p.joiner != nil {
		if err := p.restoreLines(ctx, host); err != nil {
			return err
		}
		p.stopped.Go(func() { p.releaseExpired(run) })
	}
	return p.startSuppressions(run)
}

func (p *siem) shutdown(ctx context.Context) error {
	if p.stop != nil {
		p.stop()
		p.stopped.Wait()
	}
	err := p.releaseAll(ctx)
	p.telemetry.Shutdown()
	return err
}

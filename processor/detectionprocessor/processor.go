package detectionprocessor

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/collector/meter"
	"github.com/siempipe/siempipe/internal/detect"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/processor/detectionprocessor/internal/metadata"
)

// scopeName names the instrumentation scope of findings.
const scopeName = "github.com/siempipe/siempipe/processor/detectionprocessor"

// sweepInterval is how often idle windows are forgotten.
const sweepInterval = time.Minute

// detection evaluates batches of records against rules. It is safe for concurrent use.
type detection struct {
	cfg       *Config
	id        component.ID
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	next      consumer.Logs
	loader    *detect.Loader
	detector  *detect.Detector
	workers   sync.Pool    // of *worker
	store     *windowStore // nil without storage
	counts    counts

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// worker is the scratch that one batch needs.
type worker struct {
	*detect.Worker
	rec     record.Record
	matches []match
}

// match is a record that a rule matches, with its place in the batch.
type match struct {
	detect.Match
	resource int
}

func newDetection(set processor.Settings, cfg *Config, next consumer.Logs) (*detection, error) {
	telemetry, err := metadata.NewTelemetryBuilder(meter.Labeled(set.TelemetrySettings, component.KindProcessor, set.ID))
	if err != nil {
		return nil, err
	}
	windows := detect.NewWindows(detect.Limits{Windows: cfg.MaxWindows, Bytes: cfg.MaxWindowBytes, Linger: cfg.Linger}, time.Now)
	p := &detection{cfg: cfg, id: set.ID, logger: set.Logger, telemetry: telemetry, next: next, loader: cfg.loader(), detector: detect.NewDetector(windows)}
	p.workers.New = func() any { return &worker{Worker: p.detector.NewWorker()} }
	if err := p.load(); err != nil { // now rather than at start, so that `validate` finds it
		return nil, err
	}
	if len(p.detector.Rules().Rules) == 0 {
		return nil, errors.New("rules: not one rule is in force; the log says what is wrong with each")
	}
	return p, nil
}

// Capabilities: findings are added to the batch.
func (*detection) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// Start opens the store and begins to look for changed rules and idle windows.
func (p *detection) Start(ctx context.Context, host component.Host) error {
	if p.cfg.Storage != nil {
		var err error
		if p.store, err = openWindowStore(ctx, host, *p.cfg.Storage, p.id); err != nil {
			return err
		}
		restored, broken, err := p.store.restore(ctx, p.detector.Windows())
		if err != nil {
			return err
		}
		p.logger.Info("Windows restored", zap.Int("windows", restored), zap.Int("broken", broken))
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	p.stopped.Go(func() { p.watch(ctx) })
	p.measure(ctx)
	return nil
}

// Shutdown ends the watching and closes the store. What was counted is in the store already.
func (p *detection) Shutdown(ctx context.Context) error {
	if p.stop != nil {
		p.stop()
		p.stopped.Wait()
	}
	p.telemetry.Shutdown()
	if p.store != nil {
		return p.store.client.Close(ctx)
	}
	return nil
}

// watch rereads rules and forgets idle windows until ctx ends.
func (p *detection) watch(ctx context.Context) {
	reload := time.NewTicker(p.cfg.ReloadInterval)
	defer reload.Stop()
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	reported := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload.C:
			switch err := p.load(); {
			case err == nil:
				reported = ""
			case err.Error() != reported: // once, until something changes
				reported = err.Error()
				p.logger.Error("Rules not reread; those in force stay", zap.Error(err))
			}
			p.measureRules(ctx)
		case <-sweep.C:
			p.detector.Windows().Sweep(p.writer(ctx))
			p.measure(ctx)
		}
	}
}

// load reads the rules and puts them in force when anything is different.
func (p *detection) load() error {
	set, problems, changed, err := p.loader.Load()
	if err != nil || !changed {
		return err
	}
	p.detector.Use(set)
	broken := 0
	for i := range problems {
		if problems[i].Warning {
			p.logger.Warn("Rule", zap.String("problem", problems[i].Error()))
			continue
		}
		broken++
		p.logger.Error("Rule left out", zap.String("problem", problems[i].Error()))
	}
	p.counts.broken.Store(int64(broken))
	p.logger.Info("Rules in force", zap.Int("rules", len(set.Rules)), zap.Int("left_out", broken))
	return nil
}

// ConsumeLogs evaluates a batch against the rules. Where nothing matches, the batch goes on as it came and batches do not
// wait for each other. Where something does, it is counted, the findings are added and the batch goes on before anything
// else is counted: the counts hold only when it was taken, and are taken back when it was not, since it comes again then.
func (p *detection) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	w := p.workers.Get().(*worker)
	defer func() {
		w.Release()
		clear(w.matches)
		w.matches, w.rec = w.matches[:0], record.Record{}
		p.workers.Put(w)
	}()
	p.match(w, logs)
	if len(w.matches) == 0 {
		return p.next.ConsumeLogs(ctx, logs)
	}
	counting := p.detector.Begin()
	defer counting.Rollback() // after Commit it does nothing
	var made []*detect.Rule
	for i := range w.matches {
		var finding record.Record
		if counting.Add(&w.matches[i].Match, &finding) {
			appendFinding(logs, w.matches[i].resource, &finding)
			made = append(made, w.matches[i].Rule)
		}
	}
	if err := p.next.ConsumeLogs(ctx, logs); err != nil {
		return err
	}
	counting.Commit(p.writer(ctx))
	p.report(ctx, w.matches, made)
	return nil
}

// match finds what rules match in a batch.
func (p *detection) match(w *worker, logs plog.Logs) {
	for i, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				eventType, ok := lr.Attributes().Get(record.AttrEventType)
				if !ok || !w.Wants(eventType.Str()) {
					continue
				}
				if logrecord.Read(lr, &w.rec) != nil { // a map that JSON cannot say
					continue
				}
				if w.rec.EventTime().IsZero() { // from a receiver that tells no time at all
					w.rec.Received = time.Now()
				}
				for _, m := range w.Match(&w.rec) {
					w.matches = append(w.matches, match{m, i})
				}
			}
		}
	}
}

// appendFinding adds a finding under the resource of the record that completed it. A sender that was refused may send the very
// batch to which the finding was added then; it is not added twice.
func appendFinding(logs plog.Logs, resource int, finding *record.Record) {
	scopes := logs.ResourceLogs().At(resource).ScopeLogs()
	var sl plog.ScopeLogs
	if n := scopes.Len(); n > 0 && scopes.At(n-1).Scope().Name() == scopeName {
		sl = scopes.At(n - 1)
		for _, lr := range sl.LogRecords().All() {
			if id, ok := lr.Attributes().Get(record.AttrID); ok && id.Str() == finding.ID {
				return
			}
		}
	} else {
		sl = scopes.AppendEmpty()
		sl.Scope().SetName(scopeName)
	}
	logrecord.Write(finding, sl.LogRecords().AppendEmpty())
}

// writer writes changed windows to the store, nil without one. An error is reported and not returned: the batch was
// delivered, and what is held in memory is right. Until the window is written again a restart would not know of it.
func (p *detection) writer(ctx context.Context) func([]detect.Change) {
	if p.store == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx) // the sender may be gone by now
	return func(changes []detect.Change) {
		if err := p.store.write(ctx, changes); err != nil {
			p.telemetry.ProcessorDetectionStorageErrors.Add(ctx, 1)
			p.logger.Error("Windows not written to storage", zap.Error(err), zap.Int("windows", len(changes)))
		}
	}
}

package findingstateprocessor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/collector/meter"
	collectorstorage "github.com/siempipe/siempipe/internal/collector/storage"
	"github.com/siempipe/siempipe/internal/findingstate"
	"github.com/siempipe/siempipe/processor/findingstateprocessor/internal/metadata"
)

// findingState decides what goes on. It is safe for concurrent use; batches are decided one after the other.
type findingState struct {
	cfg       *Config
	opts      findingstate.Options
	set       processor.Settings
	next      consumer.Logs
	telemetry *metadata.TelemetryBuilder
	now       func() time.Time

	client  storage.Client
	tracker *findingstate.Tracker // nil until Start
	readers sync.Pool             // of *reader

	stop     context.CancelFunc
	stopped  sync.WaitGroup
	damaged  int // reported so far
	upstream upstreamCheck
}

var _ processor.Logs = (*findingState)(nil)

func newFindingState(set processor.Settings, cfg *Config, next consumer.Logs) (*findingState, error) {
	telemetry, err := metadata.NewTelemetryBuilder(meter.Labeled(set.TelemetrySettings, component.KindProcessor, set.ID))
	if err != nil {
		return nil, err
	}
	return &findingState{cfg: cfg, opts: cfg.options(), set: set, next: next, telemetry: telemetry, now: time.Now}, nil
}

// Capabilities: what came in is left as it is, so that it can be sent again after an error.
func (p *findingState) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// Start opens the state and begins to look after snapshots and scans.
func (p *findingState) Start(ctx context.Context, host component.Host) error {
	if err := p.open(ctx, host); err != nil {
		return err
	}
	ctx, p.stop = context.WithCancel(context.Background())
	p.stopped.Go(func() { p.run(ctx) })
	return nil
}

func (p *findingState) open(ctx context.Context, host component.Host) error {
	began := time.Now()
	client, err := collectorstorage.Open(ctx, host, p.cfg.Storage, component.KindProcessor, p.set.ID, storageName)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	p.tracker, err = findingstate.Open(ctx, adapter{client}, p.opts)
	if err != nil {
		return errors.Join(fmt.Errorf("storage: %s: %w", p.cfg.Storage, err), client.Close(ctx))
	}
	p.client = client
	p.readers.New = func() any { return &reader{observer: p.tracker.NewObserver()} }
	p.set.Logger.Info("State opened", zap.Uint64("findings", p.tracker.Stats().Findings), zap.Duration("took", time.Since(began)))
	return nil
}

// Shutdown brings the state to rest. What a kill leaves behind is whole too.
func (p *findingState) Shutdown(ctx context.Context) error {
	defer p.telemetry.Shutdown()
	if p.stop != nil {
		p.stop()
		p.stopped.Wait()
	}
	if p.client == nil {
		return nil
	}
	if err := p.tracker.Lock(ctx); err != nil {
		return errors.Join(err, p.client.Close(ctx))
	}
	defer p.tracker.Unlock()
	err := errors.Join(p.tracker.Close(ctx), p.client.Close(ctx))
	p.client = nil
	return err
}

// ConsumeLogs takes a batch. It returns when what goes on has been delivered and the state is written, or with an error, and
// then the batch may be sent again.
func (p *findingState) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	r := p.readers.Get().(*reader)
	defer p.readers.Put(r)
	defer r.reset()
	r.read(logs)
	if r.findings == 0 {
		n := counts{passed: int64(len(r.items))}
		if err := p.next.ConsumeLogs(ctx, logs); err != nil {
			return err
		}
		n.report(ctx, p.telemetry)
		return nil
	}
	p.upstream.check(logrecord.UpstreamDropsOf(ctx), r.scans || p.cfg.Release == onScanCompleted, p.set.Logger)
	if err := p.tracker.Lock(ctx); err != nil {
		return err
	}
	defer p.tracker.Unlock()
	tx, err := p.tracker.Begin(p.now())
	if err != nil {
		return err
	}
	n, err := p.process(ctx, tx, r, true)
	if err != nil {
		return err
	}
	n.report(ctx, p.telemetry)
	return nil
}

// process decides about a batch that was read, delivers what goes on and writes the state. With mayWait, findings of scans may
// have to wait first. It ends the transaction.
func (p *findingState) process(ctx context.Context, tx *findingstate.Transaction, r *reader, mayWait bool) (n counts, err error) {
	abort := func(err error) (counts, error) {
		tx.Abort()
		return counts{}, err
	}
	waiting := p.route(tx, r, mayWait, &n)
	for _, w := range waiting {
		data, err := pack(w.Logs())
		if err != nil {
			return abort(err)
		}
		if err := tx.Hold(w.scanID, data, w.n); err != nil {
			return abort(err)
		}
	}
	if err := tx.Load(ctx, r.load); err != nil {
		return abort(err)
	}
	out := p.decide(tx, r, &n)
	if out.n > 0 {
		if err := p.next.ConsumeLogs(ctx, out.Logs()); err != nil {
			return abort(err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return counts{}, err
	}
	return n, nil
}

// held are records of one scan that wait.
type held struct {
	builder
	scanID string
}

// route takes the scans' part of a batch: it leaves in r what is to be decided about now.
func (p *findingState) route(tx *findingstate.Transaction, r *reader, mayWait bool, n *counts) (waiting []*held) {
	kept := r.items[:0]
	for _, it := range r.items {
		route := findingstate.Pass
		if it.scanID != "" && it.kind != isOther {
			if !mayWait && it.kind == isFinding {
				it.status = "" // it spoke when it came
			}
			route = tx.Route(it.scanID, it.status)
		}
		switch {
		case it.kind == isScan:
			continue
		case route == findingstate.Discard && mayWait:
			n.discarded++
			continue
		case route == findingstate.Wait && mayWait:
			waiting = hold(waiting, &it)
			continue
		}
		if it.kind == isFinding {
			r.load = append(r.load, &r.obs[it.obs])
		}
		kept = append(kept, it)
	}
	clear(r.items[len(kept):])
	r.items = kept
	return waiting
}

func hold(waiting []*held, it *item) []*held {
	for i := len(waiting) - 1; i >= 0; i-- {
		if waiting[i].scanID == it.scanID {
			waiting[i].add(it.place)
			return waiting
		}
	}
	w := &held{scanID: it.scanID}
	w.add(it.place)
	return append(waiting, w)
}

// decide lets the state decide about each finding and builds what goes on.
func (p *findingState) decide(tx *findingstate.Transaction, r *reader, n *counts) (out builder) {
	for i := range r.items {
		it := &r.items[i]
		if it.kind == isOther {
			out.add(it.place)
			n.passed++
			continue
		}
		o := &r.obs[it.obs]
		tx.Decide(o)
		n.change(o.Change)
		n.bytesIn += int64(it.bytes)
		if !o.Emit {
			continue
		}
		annotate(out.add(it.place), o, p.cfg.AnnotateBody && !o.IsEvent())
		n.out++
		n.bytesOut += int64(it.bytes)
	}
	if out.n > 0 {
		logrecord.DetachRemainder(out.Logs(), len(r.items))
	}
	return out
}

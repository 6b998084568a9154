package findingstateprocessor

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/findingstate"
	"github.com/siempipe/siempipe/processor/findingstateprocessor/internal/metadata"
)

const (
	// tickInterval is how often snapshots and scans are looked after: far below any quiet period.
	tickInterval = time.Second
	// maxRetryInterval is the longest pause after the next component refused.
	maxRetryInterval = 30 * time.Second
)

// run looks after what happens without records coming in, until ctx ends.
func (p *findingState) run(ctx context.Context) {
	pause := tickInterval
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := p.tick(ctx); err == nil {
			pause = tickInterval
		} else if ctx.Err() == nil {
			pause = min(2*pause, maxRetryInterval)
			p.set.Logger.Warn("State not looked after, trying again", zap.Error(err), zap.Duration("in", pause))
			if errors.Is(err, findingstate.ErrTakenOver) {
				return // every batch is refused from now on, which says it too
			}
		}
		timer.Reset(pause)
	}
}

// tick ends snapshots and scans whose time has come, sends on what waited, throws away what failed and looks for what did not
// come again. It goes on with what comes after an error at its next call.
func (p *findingState) tick(ctx context.Context) error {
	errs := []error{p.step(ctx, p.closeDue)}
	for _, what := range [...]func(context.Context) (bool, error){p.discard, p.release, p.sweep} {
		for more := true; more; {
			errs = append(errs, p.step(ctx, func(ctx context.Context) (err error) {
				more, err = what(ctx)
				more = more && err == nil
				return err
			}))
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	errs = append(errs, p.step(ctx, p.measure))
	return errors.Join(errs...)
}

// step does one thing with the tracker locked, so that batches come in between.
func (p *findingState) step(ctx context.Context, what func(context.Context) error) error {
	if err := p.tracker.Lock(ctx); err != nil {
		return err
	}
	defer p.tracker.Unlock()
	return what(ctx)
}

func (p *findingState) closeDue(ctx context.Context) error {
	tx, err := p.tracker.Begin(p.now())
	if err != nil {
		return err
	}
	if !tx.CloseDue() {
		tx.Abort()
		return nil
	}
	return tx.Commit(ctx)
}

// discard throws away some of what waits for scans that failed.
func (p *findingState) discard(ctx context.Context) (more bool, err error) {
	tx, err := p.tracker.Begin(p.now())
	if err != nil {
		return false, err
	}
	records, more, err := tx.Discard(ctx)
	if err != nil || !more {
		tx.Abort()
		return false, err
	}
	if err := tx.Commit(ctx); err != nil {
		return false, err
	}
	n := counts{discarded: int64(records)}
	n.report(ctx, p.telemetry)
	return true, nil
}

// release sends on one batch of what waited long enough.
func (p *findingState) release(ctx context.Context) (more bool, err error) {
	tx, err := p.tracker.Begin(p.now())
	if err != nil {
		return false, err
	}
	w, ok, err := tx.NextReleased(ctx)
	if err != nil || !ok {
		tx.Abort()
		return false, err
	}
	logs, err := unpack(w.Data)
	if err != nil {
		p.set.Logger.Error("Findings that waited cannot be read and are lost", zap.String("scan_id", w.ScanID), zap.Int("records", w.Records), zap.Error(err))
		logs = plog.NewLogs()
		tx.Incomplete(w.ScanID)
	}
	r := p.readers.Get().(*reader)
	defer p.readers.Put(r)
	defer r.reset()
	r.read(logs)
	n, err := p.process(ctx, tx, r, false)
	if consumererror.IsPermanent(err) {
		return true, p.giveUp(ctx, err)
	}
	if err != nil {
		return false, err
	}
	if w.Early {
		n.early = int64(w.Records)
	}
	n.report(ctx, p.telemetry)
	return true, nil
}

// giveUp throws away the batch that was to be released next and that the next component refused for good, since others wait behind
// it. Its findings stay unknown to the state, so that the next scan brings them again as new.
func (p *findingState) giveUp(ctx context.Context, reason error) error {
	tx, err := p.tracker.Begin(p.now())
	if err != nil {
		return err
	}
	w, ok, err := tx.NextReleased(ctx)
	if err != nil || !ok {
		tx.Abort()
		return err
	}
	tx.Incomplete(w.ScanID)
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	p.set.Logger.Error("Findings that waited for their scan were refused for good and are discarded", zap.String("scan_id", w.ScanID), zap.Int("records", w.Records), zap.Error(reason))
	n := counts{discarded: int64(w.Records)}
	n.report(ctx, p.telemetry)
	return nil
}

// sweep does one step of looking for findings that did not come again.
func (p *findingState) sweep(ctx context.Context) (more bool, err error) {
	if !p.tracker.SweepDue(p.now()) {
		return false, nil
	}
	tx, unseen, expired, unnamed, err := p.tracker.BeginSweep(ctx, p.now())
	if err != nil {
		return false, err
	}
	if p.cfg.EmitNotSeen && len(unseen) > 0 {
		logs := plog.NewLogs()
		sl := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
		sl.Scope().SetName(metadata.ScopeName)
		for i := range unseen {
			putUnseen(sl.LogRecords().AppendEmpty(), &unseen[i], p.now())
		}
		err := p.next.ConsumeLogs(ctx, logs)
		switch {
		case consumererror.IsPermanent(err): // it would be again
			p.set.Logger.Error("Records of findings that were not seen were refused for good", zap.Int("records", len(unseen)), zap.Error(err))
		case err != nil:
			tx.Abort()
			return false, err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return false, err
	}
	p.telemetry.ProcessorFindingStateNotSeen.Add(ctx, int64(len(unseen)+unnamed))
	p.telemetry.ProcessorFindingStateExpired.Add(ctx, int64(expired))
	if p.cfg.EmitNotSeen {
		n := counts{out: int64(len(unseen))}
		n.report(ctx, p.telemetry)
	}
	return true, nil
}

// measure reports the figures of the state.
func (p *findingState) measure(ctx context.Context) error {
	s := p.tracker.Stats()
	p.telemetry.ProcessorFindingStateFindings.Record(ctx, int64(s.Findings))
	p.telemetry.ProcessorFindingStateCached.Record(ctx, int64(s.Cached))
	p.telemetry.ProcessorFindingStateWaiting.Record(ctx, int64(s.Waiting))
	p.telemetry.ProcessorFindingStateWaitingBytes.Record(ctx, s.WaitingBytes)
	if damaged := p.tracker.Damaged; damaged > p.damaged {
		p.set.Logger.Error("Parts of the state cannot be read and are given up; their findings are new again", zap.Int("parts", damaged-p.damaged))
		p.telemetry.ProcessorFindingStateDamaged.Add(ctx, int64(damaged-p.damaged))
		p.damaged = damaged
	}
	return nil
}

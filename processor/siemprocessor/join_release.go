package siemprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
)

const (
	// releaseBatch is how many lines are released at once, at most.
	releaseBatch = 500
	// releaseInterval is how often lines are released, at most.
	releaseInterval = time.Second
)

// releaseExpired releases lines whose scan did not come within the window, until ctx ends.
func (p *siem) releaseExpired(ctx context.Context) {
	interval := min(releaseInterval, max(p.cfg.JoinWindow/10, time.Millisecond))
	refusedInterval := 10 * interval
	refused := false
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := p.release(ctx, false); err != nil && ctx.Err() == nil {
				p.logger.Warn("Lines whose scan did not come are refused; trying again", zap.Error(err), zap.Duration("wait", refusedInterval))
				ticker.Reset(refusedInterval)
				refused = true
			} else if refused {
				ticker.Reset(interval)
				refused = false
			}
		}
	}
}

// release forwards the waiting lines that are due, or all of them, and returns the error of the next component.
func (p *siem) release(ctx context.Context, all bool) error {
	for {
		due := p.joiner.due(p.now(), all, releaseBatch)
		if len(due) == 0 {
			return nil
		}
		out, counts := p.processLines(ctx, due)
		var err error
		if out.LogRecordCount() > 0 {
			err = p.next.ConsumeLogs(ctx, out)
		}
		done := p.finishLines(ctx, due, err == nil)
		if err != nil {
			return err
		}
		counts.report(ctx, p.telemetry)
		p.countLines(ctx, outcomeExpired, done-counts.repaired)
	}
}

// processLines processes lines that have waited. Each is repaired if its scan has come, and otherwise continues as it is.
func (p *siem) processLines(ctx context.Context, lines []*line) (plog.Logs, counts) {
	w := p.workers.Get().(*worker)
	defer p.workers.Put(w)
	defer w.release()
	b := p.newBatch(ctx, w)
	b.waited = true
	out := plog.NewLogs()
	for _, l := range lines {
		logs := plog.NewLogs()
		l.logs.CopyTo(logs) // the next component may change a batch and then refuse it
		if p.processRecord(&b, recordOf(logs)) {
			logs.ResourceLogs().MoveAndAppendTo(out.ResourceLogs())
		}
	}
	return out, b.counts
}

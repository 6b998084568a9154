package siemprocessor

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
)

// joinBatch collects what one batch settles.
type joinBatch struct{ lines []*line }

type joinBatchKey struct{}

// joining is the processor with join_syslog: it learns whether the next component took a batch.
type joining struct {
	processor.Logs
	siem *siem
}

// ConsumeLogs settles the lines that the batch's scans carry by whether the batch was taken.
func (p *joining) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	batch := &joinBatch{}
	err := p.Logs.ConsumeLogs(context.WithValue(ctx, joinBatchKey{}, batch), logs)
	if n := p.siem.settle(ctx, batch.lines, err == nil); n > 0 {
		p.siem.countLines(ctx, outcomeJoined, n)
		// They are part of their scans now.
		p.siem.telemetry.ProcessorSiemRecordsDropped.Add(ctx, int64(n), metric.WithAttributes(attribute.String("reason", outcomeJoined)))
	}
	return err
}

// joinRecord joins the record of the batch, if it is a scan or a damaged line. It reports whether the record waits.
func (p *siem) joinRecord(b *batch, lr plog.LogRecord) (waits bool) {
	ctx, w := b.ctx, b.worker
	if pairs := format.ScanPairs(&w.rec); pairs != "" {
		l := p.join.scan(format.JoinKey(w.rec.ID), pairs, b.now)
		if l == nil {
			return false
		}
		w.parser.Parse(format.JoinedScan(w.rec.Body, l.damage, l.text), w.rec.Format, w.rec.Received, &w.rec)
		if batch, ok := ctx.Value(joinBatchKey{}).(*joinBatch); ok {
			batch.lines = append(batch.lines, l)
		}
		return false
	}
	damage, text := format.Damage(&w.rec)
	if len(damage) == 0 {
		return false
	}
	key := format.JoinKey(w.rec.ID)
	if pairs, ok := p.join.pairs(key, b.now); ok {
		w.parser.Parse(format.RepairedLine(pairs, damage, text), w.rec.Format, w.rec.Received, &w.rec)
		b.repaired++
		return false
	}
	if b.released {
		return false
	}
	l := &line{key: key, damage: damage, text: text}
	if p.join.store != nil {
		l.logs = b.alone(lr)
	}
	waits, err := p.join.wait(ctx, l, b.now)
	if err != nil {
		p.logger.Error("A damaged line cannot be stored; it goes on at once", zap.Error(err))
	}
	if waits {
		p.countLines(ctx, outcomeWaiting, 1)
	} else {
		p.countLines(ctx, outcomePassed, 1)
	}
	return waits
}

// alone is a record of the batch as it came, with what belongs to it.
func (b *batch) alone(lr plog.LogRecord) plog.Logs {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	b.resource.Resource().CopyTo(rl.Resource())
	rl.SetSchemaUrl(b.resource.SchemaUrl())
	sl := rl.ScopeLogs().AppendEmpty()
	b.scope.Scope().CopyTo(sl.Scope())
	sl.SetSchemaUrl(b.scope.SchemaUrl())
	lr.CopyTo(sl.LogRecords().AppendEmpty())
	sl.LogRecords().At(0).SetObservedTimestamp(pcommon.NewTimestampFromTime(b.rec.Received))
	return logs
}

// Bounds of handing on lines whose scan did not come.
const (
	releaseBatch    = 500
	releaseInterval = time.Second
)

// release hands on the waiting lines that are due, or all of them, and reports the error of the next component.
func (p *siem) release(ctx context.Context, all bool) error {
	for {
		due := p.join.due(p.now(), all, releaseBatch)
		if len(due) == 0 {
			return nil
		}
		w := p.workers.Get().(*worker)
		out := plog.NewLogs()
		var n counts
		b := batch{worker: w, now: p.now(), more: plog.NewLogRecordSlice(), counts: &n, ctx: ctx, join: p.cfg.JoinSyslog, released: true}
		for _, l := range due {
			logs := plog.NewLogs()
			l.logs.CopyTo(logs) // a refused batch may have been changed on the way
			lr := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			if p.one(&b, lr) {
				logs.ResourceLogs().MoveAndAppendTo(out.ResourceLogs())
			}
		}
		w.rec = record.Record{}
		p.workers.Put(w)
		var err error
		if out.LogRecordCount() > 0 {
			err = p.next.ConsumeLogs(ctx, out)
		}
		if err == nil {
			n.report(ctx, p.telemetry)
		}
		settled := p.settle(ctx, due, err == nil)
		if err == nil {
			p.countLines(ctx, outcomeRepaired, b.repaired)
			p.countLines(ctx, outcomeExpired, settled-b.repaired)
		}
		if err != nil {
			return err
		}
	}
}

// settle ends the wait of lines and returns how many waited.
func (p *siem) settle(ctx context.Context, lines []*line, accepted bool) int {
	if len(lines) == 0 {
		return 0
	}
	n, err := p.join.settle(context.WithoutCancel(ctx), lines, accepted)
	if err != nil {
		p.logger.Error("Lines that are done stay stored; after a restart they come out again", zap.Error(err))
	}
	return n
}

// expire hands on what is due until ctx ends.
func (p *siem) expire(ctx context.Context) {
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

// startJoin opens the storage and lets what waited before wait on.
func (p *siem) startJoin(ctx context.Context, host component.Host) error {
	if p.cfg.JoinStorage == nil {
		return nil
	}
	store, err := openLineStore(ctx, host, *p.cfg.JoinStorage, p.id)
	if err != nil {
		return err
	}
	lines, torn, err := store.load(ctx)
	if err != nil {
		return errors.Join(err, store.client.Close(ctx))
	}
	if torn > 0 {
		p.logger.Error("Lines that waited for their scans cannot be read any more", zap.Int("lines", torn))
	}
	p.join.store = store
	w := p.workers.Get().(*worker)
	defer p.workers.Put(w)
	slices.SortFunc(lines, func(a, b *line) int { return a.deadline.Compare(b.deadline) })
	now := p.now()
	for _, l := range lines {
		lr := l.logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		if raw, err := logrecord.Raw(lr); err == nil {
			w.parser.Parse(raw, formatOf(lr, ""), lr.ObservedTimestamp().AsTime(), &w.rec)
			l.damage, l.text = format.Damage(&w.rec)
			l.key = format.JoinKey(w.rec.ID)
		}
		// A clock that was ahead must not keep a line for longer, nor one that is set back later.
		l.deadline = now.Add(min(l.deadline.Sub(now), p.cfg.JoinWindow))
		p.join.add(l)
	}
	w.rec = record.Record{}
	if len(lines) > 0 {
		p.logger.Info("Damaged lines wait on for their scans", zap.Int("lines", len(lines)))
	}
	return nil
}

// stopJoin hands on what still waits: nobody would, should join_syslog be gone after the next start. What the next component
// refuses stays stored.
func (p *siem) stopJoin(ctx context.Context) error {
	if p.join == nil || p.join.store == nil {
		return nil
	}
	if err := p.release(ctx, true); err != nil {
		p.logger.Warn("Damaged lines stay stored until the next start", zap.Error(err))
	}
	return p.join.store.client.Close(ctx)
}

func (p *siem) countLines(ctx context.Context, outcome string, n int) {
	if n > 0 {
		p.telemetry.ProcessorSiemLines.Add(ctx, int64(n), metric.WithAttributes(attribute.String("outcome", outcome)))
	}
}

package siemprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/process/suppress"
	"github.com/siempipe/siempipe/internal/record"
)

// batch is one batch of log records under way.
type batch struct {
	*worker
	ctx          context.Context
	now          time.Time
	suppressions *suppress.List
	scans        format.ScanReader   // what the receiver knows of the texts
	added        plog.LogRecordSlice // for the scope under way: records beyond those that came
	counts       counts

	resource plog.ResourceLogs // of the record under way
	scope    plog.ScopeLogs
	waited   bool // its records are lines that have waited for their scans
}

func (p *siem) newBatch(ctx context.Context, w *worker) batch {
	return batch{worker: w, ctx: ctx, now: p.now(), suppressions: p.suppressions.List(), added: plog.NewLogRecordSlice()}
}

// process processes every record of a batch in place and removes the dropped ones.
func (p *siem) process(ctx context.Context, logs plog.Logs) (plog.Logs, error) {
	w := p.workers.Get().(*worker)
	defer p.workers.Put(w)
	defer w.release()
	b := p.newBatch(ctx, w)
	scans, done := logrecord.ScansOf(ctx)
	defer done()
	b.scans = scans
	logs.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		b.resource = rl
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			b.scope = sl
			sl.LogRecords().RemoveIf(func(lr plog.LogRecord) bool {
				b.counts.in++
				return !p.processRecord(&b, lr)
			})
			b.added.MoveAndAppendTo(sl.LogRecords())
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
	b.counts.report(ctx, p.telemetry)
	logrecord.DetachRemainder(logs, int(b.counts.in))
	if logs.ResourceLogs().Len() == 0 {
		return logs, processorhelper.ErrSkipProcessingData
	}
	return logs, nil
}

// processRecord processes one log record in place and reports whether it stays. Further records that it makes are added to b.added.
func (p *siem) processRecord(b *batch, lr plog.LogRecord) (stays bool) {
	b.readText(lr)
	b.processor.Start(&b.text)
	for out := b.processor.Next(); out != nil; out = b.processor.Next() {
		if out.Kind == process.Whole && b.text.Fields != "" {
			lr.Attributes().Remove(record.AttrFields)
		}
		if p.cfg.JoinSyslog && out.Kind == process.Whole && p.join(b, out, lr) {
			continue // the line waits for its scan
		}
		b.processor.Decide(out, b.suppressions, b.now)
		b.counts.add(out)
		if out.Dropped != "" {
			continue
		}
		if out.Kind == process.Whole {
			p.write(out, lr)
			stays = true
		} else {
			p.add(b, out, lr)
		}
	}
	return stays
}

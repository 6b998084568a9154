package siemprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process"
)

// join joins a parsed record if it is a scan or a damaged line. It reports whether the record waits: then it leaves the batch.
func (p *siem) join(b *batch, out *process.Outcome, lr plog.LogRecord) (waits bool) {
	rec := &out.Record
	if pairs := format.ScanPairs(rec); pairs != "" {
		if l := p.joiner.addScan(format.JoinKey(rec.ID), pairs, b.now); l != nil {
			b.processor.Reparse(out, format.JoinedScan(rec.Body, l.damage, l.text))
			if carried, ok := b.ctx.Value(carriedLinesKey{}).(*carriedLines); ok {
				carried.lines = append(carried.lines, l)
			}
		}
		return false
	}
	damage, text := format.Damage(rec)
	if len(damage) == 0 {
		return false
	}
	key := format.JoinKey(rec.ID)
	if pairs, ok := p.joiner.pairsOf(key, b.now); ok {
		b.processor.Reparse(out, format.RepairedLine(pairs, damage, text))
		b.counts.repaired++
		return false
	}
	if b.waited {
		return false
	}
	l := &line{key: key, damage: damage, text: text}
	if p.joiner.store != nil {
		l.logs = b.copyOf(lr, out)
	}
	waits, err := p.joiner.addLine(b.ctx, l, b.now)
	if err != nil {
		p.logger.Error("A damaged line cannot be stored; it goes on at once", zap.Error(err))
	}
	if waits {
		p.countLines(b.ctx, outcomeWaiting, 1)
	} else {
		p.countLines(b.ctx, outcomePassed, 1)
	}
	return waits
}

// copyOf copies the record under way with its resource and scope. It keeps the time of receipt, which the record may lack.
func (b *batch) copyOf(lr plog.LogRecord, out *process.Outcome) plog.Logs {
	var one logrecord.Builder
	made := one.Add(b.resource, b.scope)
	lr.CopyTo(made)
	made.SetObservedTimestamp(pcommon.NewTimestampFromTime(out.Record.Received))
	return one.Logs()
}

// recordOf is the record of logs that copyOf made.
func recordOf(logs plog.Logs) plog.LogRecord {
	return logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
}

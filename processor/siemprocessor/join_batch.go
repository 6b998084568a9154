package siemprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

// carriedLines are the waiting lines that the scans of one batch carry. They travel in the batch's context.
type carriedLines struct{ lines []*line }

type carriedLinesKey struct{}

// joiningLogs is the processor with join_syslog: it learns whether the next component accepted a batch.
type joiningLogs struct {
	processor.Logs
	siem *siem
}

// ConsumeLogs ends the wait of the lines that the batch's scans carry, if the batch was accepted.
func (p *joiningLogs) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	carried := &carriedLines{}
	err := p.Logs.ConsumeLogs(context.WithValue(ctx, carriedLinesKey{}, carried), logs)
	if n := p.siem.finishLines(ctx, carried.lines, err == nil); n > 0 {
		p.siem.countLines(ctx, outcomeJoined, n)
		// They are part of their scans now.
		p.siem.telemetry.ProcessorSiemRecordsDropped.Add(ctx, int64(n), metric.WithAttributes(attribute.String("reason", outcomeJoined)))
	}
	return err
}

// finishLines tells the joiner whether the records that carry these lines were accepted. It returns how many lines wait no more.
func (p *siem) finishLines(ctx context.Context, lines []*line, accepted bool) int {
	if len(lines) == 0 {
		return 0
	}
	n, err := p.joiner.finish(context.WithoutCancel(ctx), lines, accepted)
	if err != nil {
		p.logger.Error("Lines that are done stay stored; after a restart they come out again", zap.Error(err))
	}
	return n
}

func (p *siem) countLines(ctx context.Context, outcome string, n int) {
	if n > 0 {
		p.telemetry.ProcessorSiemLines.Add(ctx, int64(n), metric.WithAttributes(attribute.String("outcome", outcome)))
	}
}

package perceptionpointreceiver

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/backoff"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/receiver/perceptionpointreceiver/internal/metadata"
)

// deliverer delivers records to the pipeline. Safe for concurrent use.
type deliverer struct {
	next consumer.Logs
	obs  *receiverhelper.ObsReport
	// ctx ends later than that of the streams: a page that the pipeline is about to take is taken, and not asked for again after
	// the restart.
	ctx context.Context
}

// deliver offers the records until the pipeline has taken all of them. It also retries a refusal that calls itself permanent: the
// place in the list must not move past records that nobody took, and people can fix what refuses (a bucket without rights). Its
// error is that of ctx.
func (d *deliverer) deliver(ctx context.Context, s *stream, raws []string) error {
	if len(raws) == 0 {
		return nil
	}
	logs := d.build(s.format, raws)
	failures := s.cfg.Retry.backoff()
	for {
		n := logs.LogRecordCount()
		obsCtx := d.obs.StartLogsOp(d.ctx)
		err := d.next.ConsumeLogs(obsCtx, logs)
		d.obs.EndLogsOp(obsCtx, metadata.Type.String(), n, err)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var partly consumererror.Logs
		if errors.As(err, &partly) {
			logs = partly.Data()
			if logs.LogRecordCount() == 0 {
				return nil
			}
		} else {
			logs = d.build(s.format, raws) // what was refused may have been changed on the way
		}
		delay := failures.Jittered()
		s.logger.Warn("The pipeline refuses a page; trying again", zap.Error(err), zap.Int("records", logs.LogRecordCount()), zap.Duration("wait", delay))
		s.health.failed(s.name, err)
		if err := backoff.Sleep(ctx, delay); err != nil {
			return err
		}
	}
}

func (d *deliverer) build(format string, raws []string) plog.Logs {
	logs := plog.NewLogs()
	scope := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	records := scope.LogRecords()
	records.EnsureCapacity(len(raws))
	received := pcommon.NewTimestampFromTime(time.Now())
	for _, raw := range raws {
		lr := records.AppendEmpty()
		lr.SetObservedTimestamp(received)
		lr.Body().SetStr(raw)
		lr.Attributes().PutStr(record.AttrFormat, format)
	}
	return logs
}

package pipesyslogexporter

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/siempipe/siempipe/exporter/pipesyslogexporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/deliver/syslog"
)

// report adds the counts of one batch to the metrics.
func report(ctx context.Context, to *metadata.TelemetryBuilder, n *syslog.Counts) {
	for _, c := range []struct {
		counter metric.Int64Counter
		n       int64
	}{
		{to.ExporterPipeSyslogMessagesSent, n.Sent},
		{to.ExporterPipeSyslogMessagesRepeated, n.Repeated},
		{to.ExporterPipeSyslogRecordsShortened, n.Shortened},
		{to.ExporterPipeSyslogRecordsSplit, n.Split},
	} {
		if c.n > 0 {
			c.counter.Add(ctx, c.n)
		}
	}
	for reason, count := range map[string]int64{"too_long": n.TooLong, "not_json": n.NotJSON, "invalid": n.Invalid, "empty": n.Empty} {
		if count > 0 {
			to.ExporterPipeSyslogRecordsDropped.Add(ctx, count, metric.WithAttributes(attribute.String("reason", reason)))
		}
	}
}

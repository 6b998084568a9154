package siemprocessor

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/processor/siemprocessor/internal/metadata"
)

// counts gathers what happened to one batch, so that the metrics are added to once a batch. The maps stay nil for a
// batch in which nothing is dropped or invalid.
type counts struct {
	in, out    int64
	repaired   int // lines
	dropped    map[string]int64
	invalid    map[string]int64
	suppressed map[string]int64
}

// add counts an outcome. suppressed counts what continues marked, too.
func (n *counts) add(out *process.Outcome) {
	if out.Record.EventType == record.Invalid {
		increment(&n.invalid, out.Record.Format)
	}
	if out.Rule != "" {
		increment(&n.suppressed, out.Rule)
	}
	if out.Dropped == "" {
		n.out++
		return
	}
	increment(&n.dropped, out.Dropped)
}

func increment(m *map[string]int64, key string) {
	if *m == nil {
		*m = make(map[string]int64)
	}
	(*m)[key]++
}

func (n *counts) report(ctx context.Context, to *metadata.TelemetryBuilder) {
	to.ProcessorSiemRecordsIn.Add(ctx, n.in)
	to.ProcessorSiemRecordsOut.Add(ctx, n.out)
	addEach(ctx, to.ProcessorSiemRecordsDropped, "reason", n.dropped)
	addEach(ctx, to.ProcessorSiemRecordsInvalid, "format", n.invalid)
	addEach(ctx, to.ProcessorSiemRecordsSuppressed, "rule", n.suppressed)
	if n.repaired > 0 {
		to.ProcessorSiemLines.Add(ctx, int64(n.repaired), metric.WithAttributes(attribute.String("outcome", outcomeRepaired)))
	}
}

func addEach(ctx context.Context, counter metric.Int64Counter, key string, values map[string]int64) {
	for value, n := range values {
		counter.Add(ctx, n, metric.WithAttributes(attribute.String(key, value)))
	}
}

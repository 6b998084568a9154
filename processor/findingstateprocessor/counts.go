package findingstateprocessor

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/siempipe/siempipe/internal/findingstate"
	"github.com/siempipe/siempipe/processor/findingstateprocessor/internal/metadata"
)

// counts gathers what became of one batch, to be reported once it is written.
type counts struct {
	changes           map[findingstate.Change]int64
	out, passed       int64
	bytesIn, bytesOut int64
	discarded, early  int64
}

func (n *counts) change(c findingstate.Change) {
	if n.changes == nil {
		n.changes = map[findingstate.Change]int64{}
	}
	n.changes[c]++
}

func (n *counts) report(ctx context.Context, to *metadata.TelemetryBuilder) {
	for change, count := range n.changes {
		to.ProcessorFindingStateRecords.Add(ctx, count, metric.WithAttributes(attribute.String("change", string(change))))
	}
	for _, c := range [...]struct {
		counter metric.Int64Counter
		n       int64
	}{
		{to.ProcessorFindingStateRecordsOut, n.out},
		{to.ProcessorFindingStateRecordsPassed, n.passed},
		{to.ProcessorFindingStateBytesIn, n.bytesIn},
		{to.ProcessorFindingStateBytesOut, n.bytesOut},
		{to.ProcessorFindingStateRecordsDiscarded, n.discarded},
		{to.ProcessorFindingStateRecordsReleasedEarly, n.early},
	} {
		if c.n != 0 {
			c.counter.Add(ctx, c.n)
		}
	}
}

package perceptionpointreceiver

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/siempipe/siempipe/receiver/perceptionpointreceiver/internal/metadata"
)

// metrics are the receiver's own; documentation.md lists them. Safe for concurrent use.
type metrics struct {
	builder *metadata.TelemetryBuilder

	mu    sync.Mutex
	count map[string]int64 // new and changed records by stream
}

func newMetrics(b *metadata.TelemetryBuilder) *metrics {
	return &metrics{builder: b, count: make(map[string]int64)}
}

func streamAttribute(name string, more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(more, attribute.String("stream", name))...)
}

func (m *metrics) request(ctx context.Context, stream string, code int) {
	m.builder.ReceiverPerceptionPointRequests.Add(ctx, 1, streamAttribute(stream, attribute.Int("code", code)))
}

func (m *metrics) records(stream string, fresh, changed, unchanged int64) {
	ctx := context.Background()
	for _, kind := range [...]struct {
		kind string // as metadata.yaml lists them
		n    int64
	}{{"new", fresh}, {"changed", changed}, {"unchanged", unchanged}} {
		if kind.n > 0 {
			m.builder.ReceiverPerceptionPointRecords.Add(ctx, kind.n, streamAttribute(stream, attribute.String("kind", kind.kind)))
		}
	}
	m.mu.Lock()
	m.count[stream] += fresh + changed
	m.mu.Unlock()
}

func (m *metrics) accepted(stream string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count[stream]
}

func (m *metrics) listed(ctx context.Context, s *stream) {
	m.builder.ReceiverPerceptionPointTracked.Record(ctx, int64(s.memory.n), streamAttribute(s.name))
	m.builder.ReceiverPerceptionPointLag.Record(ctx, max(0, s.clock.now().Unix()-s.state.Cursor), streamAttribute(s.name))
}

func (m *metrics) backfill(ctx context.Context, stream string, ratio float64) {
	m.builder.ReceiverPerceptionPointBackfill.Record(ctx, ratio, streamAttribute(stream))
}

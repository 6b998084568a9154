package meter

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
)

// TestLabeled: two instances of a component stay apart, and their own attributes stay.
func TestLabeled(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, telemetry.Shutdown(context.Background())) })
	options := make([]metric.AddOption, 0, 4) // with room: what is appended must not be seen by the next
	options = append(options, metric.WithAttributes(attribute.String("reason", "empty")))
	for i, name := range []string{"one", "two"} {
		id := component.MustNewIDWithName("siem", name)
		meter := Labeled(telemetry.NewTelemetrySettings(), component.KindProcessor, id).MeterProvider.Meter("test")
		counter, err := meter.Int64Counter("counter")
		require.NoError(t, err)
		counter.Add(t.Context(), int64(1+i), options...)
		gauge, err := meter.Int64Gauge("gauge")
		require.NoError(t, err)
		gauge.Record(t.Context(), int64(1+i))
		ratio, err := meter.Float64Gauge("ratio")
		require.NoError(t, err)
		ratio.Record(t.Context(), float64(1+i))
	}
	one, two := attribute.String("processor", "siem/one"), attribute.String("processor", "siem/two")
	reason := attribute.String("reason", "empty")
	for name, want := range map[string]metricdata.Aggregation{
		"counter": metricdata.Sum[int64]{Temporality: metricdata.CumulativeTemporality, IsMonotonic: true, DataPoints: []metricdata.DataPoint[int64]{
			{Value: 1, Attributes: attribute.NewSet(one, reason)}, {Value: 2, Attributes: attribute.NewSet(two, reason)}}},
		"gauge": metricdata.Gauge[int64]{DataPoints: []metricdata.DataPoint[int64]{
			{Value: 1, Attributes: attribute.NewSet(one)}, {Value: 2, Attributes: attribute.NewSet(two)}}},
		"ratio": metricdata.Gauge[float64]{DataPoints: []metricdata.DataPoint[float64]{
			{Value: 1, Attributes: attribute.NewSet(one)}, {Value: 2, Attributes: attribute.NewSet(two)}}},
	} {
		got, err := telemetry.GetMetric(name)
		require.NoError(t, err)
		assert.True(t, metricdatatest.AssertAggregationsEqual(t, want, got.Data, metricdatatest.IgnoreTimestamp()), name)
	}
}

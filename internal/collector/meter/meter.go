// Package meter labels a component's own metrics with the component's ID, as the Collector's helpers label theirs:
// without it the counters of two instances add up, and their gauges overwrite each other.
package meter

import (
	"context"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Labeled returns settings whose counters and gauges carry the attribute receiver, processor or exporter, by kind, with
// the component's ID. They are for NewTelemetryBuilder. Histograms and asynchronous instruments pass unlabeled; no
// component has one.
func Labeled(s component.TelemetrySettings, kind component.Kind, id component.ID) component.TelemetrySettings {
	label := metric.WithAttributeSet(attribute.NewSet(attribute.String(strings.ToLower(kind.String()), id.String())))
	s.MeterProvider = provider{s.MeterProvider, label}
	return s
}

type provider struct {
	metric.MeterProvider
	label metric.MeasurementOption
}

func (p provider) Meter(name string, options ...metric.MeterOption) metric.Meter {
	return meter{p.MeterProvider.Meter(name, options...), p.label}
}

type meter struct {
	metric.Meter
	label metric.MeasurementOption
}

func (m meter) Int64Counter(name string, options ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	c, err := m.Meter.Int64Counter(name, options...)
	return int64Counter{c, m.label}, err
}

func (m meter) Int64Gauge(name string, options ...metric.Int64GaugeOption) (metric.Int64Gauge, error) {
	g, err := m.Meter.Int64Gauge(name, options...)
	return int64Gauge{g, m.label}, err
}

func (m meter) Float64Gauge(name string, options ...metric.Float64GaugeOption) (metric.Float64Gauge, error) {
	g, err := m.Meter.Float64Gauge(name, options...)
	return float64Gauge{g, m.label}, err
}

type int64Counter struct {
	metric.Int64Counter
	label metric.MeasurementOption
}

func (c int64Counter) Add(ctx context.Context, n int64, options ...metric.AddOption) {
	c.Int64Counter.Add(ctx, n, append(options[:len(options):len(options)], c.label)...)
}

type int64Gauge struct {
	metric.Int64Gauge
	label metric.MeasurementOption
}

func (g int64Gauge) Record(ctx context.Context, n int64, options ...metric.RecordOption) {
	g.Int64Gauge.Record(ctx, n, append(options[:len(options):len(options)], g.label)...)
}

type float64Gauge struct {
	metric.Float64Gauge
	label metric.MeasurementOption
}

func (g float64Gauge) Record(ctx context.Context, n float64, options ...metric.RecordOption) {
	g.Float64Gauge.Record(ctx, n, append(options[:len(options):len(options)], g.label)...)
}

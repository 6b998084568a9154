package panopticas3exporter

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"

	"github.com/siempipe/siempipe/exporter/panopticas3exporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/collector/queue"
)

// NewFactory returns the factory of the panoptica_s3 exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, createDefaultConfig,
		exporter.WithLogs(createLogs, metadata.LogsStability))
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	w, err := newWriter(set, cfg.(*Config))
	if err != nil {
		return nil, err
	}
	return newExporter(ctx, set, cfg.(*Config), w, w.push)
}

// newExporter puts splitter, queue, batcher and retry before the writer and its push.
func newExporter(ctx context.Context, set exporter.Settings, cfg *Config, w *writer, push xexporterhelper.RequestConsumeFunc) (*splitter, error) {
	most := newLimits(cfg.QueueConfig)
	inner, err := xexporterhelper.NewLogsRequest(ctx, set, requestOf, push,
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(cfg.TimeoutConfig),
		exporterhelper.WithRetry(cfg.RetryConfig),
		xexporterhelper.WithQueueBatch(cfg.QueueConfig, xexporterhelper.QueueBatchSettings{Encoding: encoding{room: most.room}}),
		exporterhelper.WithStart(w.start),
		exporterhelper.WithShutdown(w.shutdown))
	if err != nil {
		return nil, err
	}
	return &splitter{
		Logs: queue.Logs{Logs: inner}, byExport: cfg.PartitionTime == partitionByExport, eventType: cfg.EventType, limits: most,
		now: time.Now, writer: w,
	}, nil
}

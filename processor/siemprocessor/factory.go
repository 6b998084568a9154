package siemprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/processor/siemprocessor/internal/metadata"
)

// NewFactory returns the factory of the siem processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(metadata.Type, createDefaultConfig,
		processor.WithLogs(createLogs, metadata.LogsStability))
}

func createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	if dropped := cfg.(*Config).dropped(); dropped != (logrecord.Dropped{}) {
		next = telling{next, dropped}
	}
	p, err := newSiem(set, cfg.(*Config), next)
	if err != nil {
		return nil, err
	}
	logs, err := processorhelper.NewLogs(ctx, set, cfg, next, p.process,
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}),
		processorhelper.WithStart(p.start),
		processorhelper.WithShutdown(p.shutdown))
	if err != nil || p.join == nil {
		return logs, err
	}
	return &joining{Logs: logs, siem: p}, nil
}

// telling tells the next component, with each batch, what this one drops.
type telling struct {
	consumer.Logs
	dropped logrecord.Dropped
}

func (t telling) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	return t.Logs.ConsumeLogs(logrecord.WithDropped(ctx, t.dropped), logs)
}

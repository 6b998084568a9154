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
	if drops := cfg.(*Config).drops(); drops != (logrecord.UpstreamDrops{}) {
		next = dropsReporter{next, drops}
	}
	p, err := newSiem(set, cfg.(*Config), next)
	if err != nil {
		return nil, err
	}
	logs, err := processorhelper.NewLogs(ctx, set, cfg, next, p.process,
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}),
		processorhelper.WithStart(p.start),
		processorhelper.WithShutdown(p.shutdown))
	if err != nil || p.joiner == nil {
		return logs, err
	}
	return &joiningLogs{Logs: logs, siem: p}, nil
}

// dropsReporter tells the next component, with each batch, what this one drops.
type dropsReporter struct {
	consumer.Logs
	drops logrecord.UpstreamDrops
}

func (r dropsReporter) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	return r.Logs.ConsumeLogs(logrecord.WithUpstreamDrops(ctx, r.drops), logs)
}

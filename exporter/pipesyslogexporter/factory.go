package pipesyslogexporter

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/xpdata/request"

	"github.com/siempipe/siempipe/exporter/pipesyslogexporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/collector/exporterbase"
	"github.com/siempipe/siempipe/internal/record"
)

// NewFactory returns the factory of the pipe_syslog exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, createDefaultConfig,
		exporter.WithLogs(createLogs, metadata.LogsStability))
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	c := cfg.(*Config)
	e, err := newPipeSyslog(set, c)
	if err != nil {
		return nil, err
	}
	if e.Logs, err = e.newQueue(ctx, set); err != nil {
		return nil, err
	}
	return e, nil
}

// part is records in the order in which they are sent.
type part = exporterbase.Part[string, record.Record]

// form is what waits in the queue: whole records, all of one partition.
var form = exporterbase.Form[string, record.Record]{Version: 2, Keys: exporterbase.Texts, Items: exporterbase.Records}

// newQueue puts the queue before send.
func (e *pipeSyslog) newQueue(ctx context.Context, set exporter.Settings) (exporter.Logs, error) {
	return exporterbase.New(ctx, set, exporterbase.Settings[string, record.Record]{
		Queue: e.config.QueueConfig, Retry: e.config.RetryConfig, // the writer's timeout is for one step of a batch, not for all
		Form: form, ReadOlder: readOlder,
		NewBatch: func() exporterbase.Partitioner[string] { return func(*record.Record) string { return "" } },
		Item:     func(rec *record.Record) record.Record { return *rec },
		Send:     e.send, Parallel: 1,
		Start: e.start, Shutdown: e.shutdown,
	})
}

// readOlder reads what version 0.1.0 stored: exporterhelper's own requests, with or without the context that they came with.
func readOlder(stored []byte) (plog.Logs, error) {
	_, logs, err := request.UnmarshalLogs(stored)
	if errors.Is(err, request.ErrInvalidFormat) {
		return (&plog.ProtoUnmarshaler{}).UnmarshalLogs(stored)
	}
	return logs, err
}

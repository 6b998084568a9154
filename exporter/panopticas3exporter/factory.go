package panopticas3exporter

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"

	"github.com/siempipe/siempipe/exporter/panopticas3exporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/collector/exporterbase"
	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/record"
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
	return newExporter(ctx, set, w)
}

// part is the records of one object: their bodies, each a string of the incoming batch, copied once, when they become lines.
type part = exporterbase.Part[objectstore.Partition, string]

// newExporter puts the queue before the writer.
func newExporter(ctx context.Context, set exporter.Settings, w *writer) (*exporterbase.Exporter[objectstore.Partition, string], error) {
	e, err := exporterbase.New(ctx, set, exporterbase.Settings[objectstore.Partition, string]{
		Queue: w.cfg.QueueConfig, Retry: w.cfg.RetryConfig, Timeout: w.cfg.TimeoutConfig,
		Form:     form,
		NewBatch: w.cfg.newPartitioner,
		Item:     func(rec *record.Record) string { return rec.Body },
		Send:     w.send, Parallel: maxUploads, Classify: classify, Remedy: remedy, LastTries: lastTries,
		Start: w.start, Shutdown: w.shutdown,
	})
	if err != nil {
		return nil, err
	}
	w.health = &e.Health
	return e, nil
}

// form is what waits in the queue.
var form = exporterbase.Form[objectstore.Partition, string]{Version: 1, Keys: partitions, Items: exporterbase.Bodies}

var partitions = exporterbase.KeyForm[objectstore.Partition]{
	Append: func(dst []byte, p objectstore.Partition) []byte {
		dst = exporterbase.AppendText(dst, p.EventType)
		dst = exporterbase.AppendText(dst, p.Day)
		return exporterbase.AppendText(dst, p.Account)
	},
	Read: func(r *exporterbase.Reader) objectstore.Partition {
		return objectstore.Partition{EventType: r.Text(), Day: r.Text(), Account: r.Text()}
	},
	Clone: func(p objectstore.Partition) objectstore.Partition {
		p.Account = strings.Clone(p.Account)
		return p
	},
}

// newPartitioner returns what says, for the records of one batch, which object each belongs to.
func (c *Config) newPartitioner() exporterbase.Partitioner[objectstore.Partition] {
	at := time.Time{} // zero: the day of the record's own time
	if c.PartitionTime == partitionByExport {
		at = time.Now()
	}
	var days objectstore.Days
	return func(rec *record.Record) objectstore.Partition {
		if c.EventType != "" {
			rec.EventType = c.EventType
		}
		if rec.EventTime().IsZero() {
			rec.Received = time.Now()
		}
		return days.PartitionOf(rec, at)
	}
}

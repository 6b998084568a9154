package pipesyslogexporter

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/siempipe/siempipe/exporter/pipesyslogexporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/pipe"
)

// counts gathers what happened to one batch, so that the metrics are added to once a batch.
type counts struct {
	sent, repeated   int64 // messages
	shortened, split int64 // records
	firstDrop        error // of records not sent, those that are no choice of the user's

	tooLong, notJSON, invalid, empty int64 // records not sent
}

// whole counts a record that was sent.
func (n *counts) whole(r pipe.Result) {
	switch r {
	case pipe.Shortened:
		n.shortened++
	case pipe.Split:
		n.split++
	}
}

// drop counts a record that is not sent.
func (n *counts) drop(err error) {
	switch {
	case errors.Is(err, errInvalid):
		n.invalid++
		return
	case errors.Is(err, pipe.ErrTooLong):
		n.tooLong++
	case errors.Is(err, pipe.ErrEmpty):
		n.empty++
	default:
		n.notJSON++
	}
	if n.firstDrop == nil {
		n.firstDrop = err
	}
}

func (n *counts) report(ctx context.Context, to *metadata.TelemetryBuilder) {
	for _, c := range []struct {
		counter metric.Int64Counter
		n       int64
	}{
		{to.ExporterPipeSyslogMessagesSent, n.sent},
		{to.ExporterPipeSyslogMessagesRepeated, n.repeated},
		{to.ExporterPipeSyslogRecordsShortened, n.shortened},
		{to.ExporterPipeSyslogRecordsSplit, n.split},
	} {
		if c.n > 0 {
			c.counter.Add(ctx, c.n)
		}
	}
	for reason, count := range map[string]int64{"too_long": n.tooLong, "not_json": n.notJSON, "invalid": n.invalid, "empty": n.empty} {
		if count > 0 {
			to.ExporterPipeSyslogRecordsDropped.Add(ctx, count, metric.WithAttributes(attribute.String("reason", reason)))
		}
	}
}

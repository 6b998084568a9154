package panopticas3exporter

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/record"
)

func TestManyPartitions(t *testing.T) {
	const partitions = 12_000
	cfg := quick(t)
	cfg.QueueConfig.Get().Batch.Get().FlushTimeout = 10 * time.Second
	e := start(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for from := 0; from < partitions; from += 1000 {
		logs := plog.NewLogs()
		for i := from; i < from+1000; i++ {
			put(logs, record.Record{Body: "{}", EventType: record.Other, AccountID: fmt.Sprint("a", i), Time: time.Unix(0, 0)})
		}
		require.NoError(t, e.ConsumeLogs(ctx, logs))
	}
	done := make(chan struct{})
	go func() { e.Shutdown(context.Background()); close(done) }()
	select {
	case <-done:
	case <-time.After(90 * time.Second):
		t.Fatal("it hangs")
	}
	require.Len(t, tree(t, cfg.Directory), partitions)
}

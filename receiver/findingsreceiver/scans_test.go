package findingsreceiver

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/processor/siemprocessor"
)

// TestBatchesThatAreLookedAtLater: a component may take a batch and pass it on with its context when the receiver has answered
// and reads the next ones.
func TestBatchesThatAreLookedAtLater(t *testing.T) {
	sink := new(consumertest.LogsSink)
	factory := siemprocessor.NewFactory()
	siem, err := factory.CreateLogs(t.Context(), processortest.NewNopSettings(factory.Type()), factory.CreateDefaultConfig(), sink)
	require.NoError(t, err)
	require.NoError(t, siem.Start(t.Context(), componenttest.NewNopHost()))
	var later sync.WaitGroup
	next, err := consumer.NewLogs(func(ctx context.Context, logs plog.Logs) error {
		later.Go(func() { assert.NoError(t, siem.ConsumeLogs(ctx, logs)) })
		return nil
	})
	require.NoError(t, err)
	url := start(t, nil, next)

	const requests, records = 5, 2500
	var senders sync.WaitGroup
	for r := range requests {
		senders.Go(func() {
			var body strings.Builder
			for i := range records {
				fmt.Fprintf(&body, `{"alert_id":"%d-%d","detection_type":"other"}`+"\n", r, i)
			}
			code, got, _ := post(t, url, strings.NewReader(body.String()))
			assert.Equal(t, http.StatusOK, code)
			assert.Equal(t, records, got.Accepted)
		})
	}
	senders.Wait()
	later.Wait()
	require.NoError(t, siem.Shutdown(t.Context()))
	seen := map[string]bool{}
	for _, logs := range sink.AllLogs() {
		for _, lr := range logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			id, ok := lr.Attributes().Get(record.AttrID)
			require.True(t, ok)
			require.Equal(t, fmt.Sprintf(`{"alert_id":"%s","detection_type":"other"}`, id.Str()), lr.Body().Str())
			seen[id.Str()] = true
		}
	}
	assert.Len(t, seen, requests*records)
}

package detectionprocessor

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/siempipe/siempipe/internal/test/measure"
	"github.com/siempipe/siempipe/processor/detectionprocessor/internal/metadata"
)

func newBench(b testing.TB, configure func(*Config)) processor.Logs {
	cfg := createDefaultConfig().(*Config)
	if configure != nil {
		configure(cfg)
	}
	p, err := NewFactory().CreateLogs(context.Background(), processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(b, err)
	require.NoError(b, p.Start(context.Background(), componenttest.NewNopHost()))
	b.Cleanup(func() { require.NoError(b, p.Shutdown(context.Background())) })
	return p
}

// BenchmarkConsume is a batch of 1,000 records of 2 KB that nothing matches, rules built in.
func BenchmarkConsume(b *testing.B) {
	body := `{"additionalEventData":{"x":"` + strings.Repeat("x", 1500) + `"},"awsRegion":"eu-central-1","eventName":"DescribeInstances","eventSource":"ec2.amazonaws.com","requestParameters":{"a":["b","c"]},"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/eve","accountId":"111122223333"}}`
	var events []event
	for i := range 1000 {
		events = append(events, event{"AWS.CloudTrail", fmt.Sprint(i), body, start})
	}
	logs := logsOf(events...)
	p := newBench(b, nil)
	require.NoError(b, p.ConsumeLogs(context.Background(), logs))
	require.Equal(b, 1000, logs.LogRecordCount())
	b.SetBytes(int64(1000 * len(body)))
	b.ReportAllocs()
	for b.Loop() {
		_ = p.ConsumeLogs(context.Background(), logs)
	}
}

// TestMemoryIsBounded sends matches of ever new principals, as somebody who wants to fill the memory would.
func TestMemoryIsBounded(t *testing.T) {
	p := newBench(t, func(c *Config) { c.MaxWindowBytes = 1 << 20 })
	send := func(from, n int) {
		for i := from; i < from+n; i += 100 {
			var events []event
			for j := i; j < i+100; j++ {
				e := failedSignIn(fmt.Sprint(j), time.Duration(j)*time.Second)
				e.body = strings.Replace(e.body, "eve@", fmt.Sprintf("eve%d@", j), 1)
				events = append(events, e)
			}
			require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(events...)))
		}
	}
	send(0, 4_000)
	before := measure.Heap()
	send(4_000, 8_000)
	after := measure.Heap()
	_, bytes, counts := p.(*detection).detector.Windows().Len()
	require.LessOrEqual(t, bytes, int64(1<<20))
	require.Positive(t, counts.Evicted)
	if after > before+1<<20 {
		t.Errorf("%d bytes, %d after three times as many", before, after)
	}
}

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// TestKilledTenTimes kills the collector at ten random moments, its start among them, under load and with the persistent
// queue: whatever was answered with 200 is in the bucket. What was being sent when it was killed may be there twice, with the
// same alert_id, which is its siem.id.
func TestKilledTenTimes(t *testing.T) {
	const kills = 10
	server := peers.StartS3(t)
	server.CreateBucket(t, "kills")
	receiver, health, metrics := freeAddr(t), freeAddr(t), freeAddr(t)
	_, metricsPort, err := net.SplitHostPort(metrics)
	require.NoError(t, err)
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte(fmt.Sprintf(`
receivers:
  findings: {endpoint: %s}
processors:
  siem:
exporters:
  panoptica_s3:
    bucket: kills
    region: %s
    endpoint: %s
    force_path_style: true
    sending_queue:
      storage: file_storage
      batch: {flush_timeout: 400ms}
extensions:
  health_check: {endpoint: %s}
  file_storage: {directory: %s, create_directory: true}
service:
  extensions: [health_check, file_storage]
  telemetry:
    metrics:
      readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %s}}}}]
  pipelines:
    logs: {receivers: [findings], processors: [siem], exporters: [panoptica_s3]}
`, receiver, server.Region, server.Endpoint, health, filepath.Join(dir, "queue"), metricsPort)), 0o600))

	log := &safeBuffer{}
	run := func() *harness.Collector {
		c, err := harness.Start(binary, log, nil, "--config", config)
		require.NoError(t, err)
		t.Cleanup(func() {
			_ = c.Stop(stopTimeout)
			if t.Failed() {
				t.Logf("the collector's log:\n%.20000s", log)
			}
		})
		return c
	}
	l := startSenders("http://"+receiver+"/v1/events/panoptica", 4, 5*time.Millisecond)
	var moments []time.Duration
	const enough = 300 // findings that a life takes
	for kill := range kills {
		c := run()
		if kill%2 == 1 { // under load; the others at any moment, the start among them
			before := l.accepted()
			waitFor(t, func() bool { return l.accepted() >= before+enough }, func() string { return "nothing is accepted" })
		}
		moment := time.Duration(100+rand.IntN(2400)) * time.Millisecond // after its start; it takes requests after some 500 ms
		moments = append(moments, moment)
		select {
		case <-time.After(moment):
		case <-c.Done():
			t.Fatalf("the collector ended by itself:\n%s", log)
		}
		require.NoError(t, syscall.Kill(c.Pid(), syscall.SIGKILL))
		<-c.Done()
	}
	c := run()
	ctx, cancel := context.WithTimeout(t.Context(), arriveTimeout)
	defer cancel()
	require.NoError(t, c.WaitReady(ctx, "http://"+health))
	acked := l.end()
	waitStored(t, server, "kills", acked, arriveTimeout)
	require.NoError(t, c.Stop(stopTimeout))
	s := readStored(t, server, "kills")

	lost := 0
	for id := range acked {
		if s.seen[id] == 0 {
			lost++
		}
	}
	unacked := 0 // posted, stored, and killed before the answer
	for id := range s.seen {
		if !acked[id] {
			unacked++
		}
	}
	t.Logf("killed after %v: %d records accepted, %d lost; %d posts refused or cut and sent again; %d duplicates (one record up to %d times), %d more that were stored without an answer; %d objects",
		moments, len(acked), lost, l.refused.Load(), s.duplicates(), s.often(), unacked, s.objects)
	assert.Zero(t, lost)
	assert.GreaterOrEqual(t, len(acked), enough*kills/2)
	assert.Positive(t, l.refused.Load())
}

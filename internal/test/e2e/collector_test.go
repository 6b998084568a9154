package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

const (
	binary = "../../../bin/siempipe"
	// arriveTimeout is far above the tests' flush_timeout: two busy cores are slow and may pause.
	arriveTimeout = 2 * time.Minute
	// stopTimeout is far above what any collector here may take to end.
	stopTimeout = time.Minute
)

// running is a collector with its addresses. Its configuration has the receiver, the processor and what the test gives it.
type running struct {
	*harness.Collector
	receiver, health, metrics string
	log                       *safeBuffer
}

// start runs the collector with exporters, in the form of the lines under exporters:, and stops it when the test ends:
// with SIGTERM, exit status 0.
func start(t *testing.T, names []string, exporters string) *running {
	t.Helper()
	r := &running{receiver: freeAddr(t), health: freeAddr(t), metrics: freeAddr(t), log: &safeBuffer{}}
	_, metricsPort, err := net.SplitHostPort(r.metrics)
	require.NoError(t, err)
	config := fmt.Sprintf(`
receivers:
  findings:
    endpoint: %s
processors:
  siem:
exporters:
%s
extensions:
  health_check:
    endpoint: %s
service:
  extensions: [health_check]
  telemetry:
    metrics:
      readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %s}}}}]
  pipelines:
    logs:
      receivers: [findings]
      processors: [siem]
      exporters: [%s]
`, r.receiver, exporters, r.health, metricsPort, strings.Join(names, ", "))
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	r.run(t, path, nil)
	return r
}

// run starts the collector on a configuration, with more arguments, and stops it when the test ends.
func (r *running) run(t *testing.T, path string, env []string, args ...string) {
	t.Helper()
	var err error
	r.Collector, err = harness.Start(binary, r.log, env, append([]string{"--config", path}, args...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := r.Stop(stopTimeout); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
		if t.Failed() {
			t.Logf("the collector's log:\n%.20000s", r.log)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), arriveTimeout)
	defer cancel()
	require.NoError(t, r.WaitReady(ctx, "http://"+r.health))
}

// post posts a body and returns the answer, which must be 200.
func (r *running) post(t *testing.T, format, body string) harness.Answer {
	t.Helper()
	url := "http://" + r.receiver + "/v1/events"
	if format != "" {
		url += "/" + format
	}
	a, err := harness.Post(url, harness.ContentType(body), strings.NewReader(body))
	require.NoError(t, err)
	require.Equal(t, 200, a.Code, "%+v", a)
	return a
}

// waitSent waits until an exporter has delivered n records.
func (r *running) waitSent(t *testing.T, exporter string, n int) {
	t.Helper()
	sent := 0
	waitFor(t, func() bool {
		m, err := harness.Scrape("http://" + r.metrics + "/metrics")
		require.NoError(t, err)
		sent = m.Sum("otelcol_exporter_sent_log_records", "exporter", exporter)
		return sent >= n
	}, func() string { return fmt.Sprintf("%s delivered %d records, want %d", exporter, sent, n) })
	require.Equal(t, n, sent)
}

func waitFor(t *testing.T, done func() bool, or func() string) {
	t.Helper()
	for deadline := time.Now().Add(arriveTimeout); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(or())
		}
	}
}

// run runs the collector's command to its end.
func run(t *testing.T, env []string, args ...string) (output string, err error) {
	t.Helper()
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%v: build the collector first, with make build", err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func freeAddr(t *testing.T) string { return peers.FreeAddress(t) }

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/fakes/perceptionpointapi"
	"github.com/siempipe/siempipe/internal/test/harness"
)

// TestLineWaitsForItsScan: a line that was cut waits for its scan over a kill, and comes out as one finding with it. A line
// without a scan comes out by itself.
func TestLineWaitsForItsScan(t *testing.T) {
	api := &perceptionpointapi.API{}
	api.SetToken("e2e-token-0123456789")
	source := httptest.NewServer(api)
	defer source.Close()
	receiver, health := freeAddr(t), freeAddr(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte(fmt.Sprintf(`
receivers:
  findings: {endpoint: %s}
  perception_point:
    endpoint: %s
    token: ${env:SIEMPIPE_TOKEN}
    interval: 200ms
    storage: file_storage
processors:
  siem:
    join_syslog: true
    join_window: ${env:SIEMPIPE_WINDOW}
    join_storage: file_storage
    scans_as_findings: true
    scan_severities: {MAL: Critical}
exporters:
  panoptica_s3:
    directory: %s
    sending_queue: {enabled: false}
extensions:
  health_check: {endpoint: %s}
  file_storage: {directory: %s, create_directory: true}
service:
  extensions: [health_check, file_storage]
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [findings, perception_point], processors: [siem], exporters: [panoptica_s3]}
`, receiver, source.URL, filepath.Join(dir, "out"), health, filepath.Join(dir, "state"))), 0o600))
	log := &safeBuffer{}
	run := func(window string) *harness.Collector {
		c, err := harness.Start(binary, log, []string{"SIEMPIPE_TOKEN=e2e-token-0123456789", "SIEMPIPE_WINDOW=" + window}, "--config", config)
		require.NoError(t, err)
		t.Cleanup(func() {
			_ = c.Stop(stopTimeout)
			if t.Failed() {
				t.Logf("the collector's log:\n%.20000s", log)
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), arriveTimeout)
		defer cancel()
		require.NoError(t, c.WaitReady(ctx, "http://"+health))
		return c
	}
	lines := func() (all []string) {
		objects, err := harness.Tree(filepath.Join(dir, "out"))
		require.NoError(t, err)
		for _, o := range objects {
			assert.Equal(t, "security_finding", o.Segments()[1])
			all = append(all, o.Lines...)
		}
		return all
	}
	kill := func(c *harness.Collector) {
		require.NoError(t, syscall.Kill(c.Pid(), syscall.SIGKILL))
		<-c.Done()
	}
	c := run("10m")
	for i := range 2 {
		id := strings.TrimSuffix(perceptionpointapi.ScanID(i), "_20260101")
		line := fmt.Sprintf("datetime:%d|Scan ID:%s|Event:Email Scanned|IP Address:192.0.2.7|Subject:%s", time.Now().Unix(), id, strings.Repeat("x", 1000))
		a, err := harness.Post("http://"+receiver+"/v1/events", "text/plain", strings.NewReader(line))
		require.NoError(t, err)
		require.Equal(t, 200, a.Code)
	}
	kill(c)
	assert.Empty(t, lines(), "both wait")
	c = run("10m")
	api.Add(perceptionpointapi.Scan(0, time.Now(), "MAL"))
	waitFor(t, func() bool { return len(lines()) >= 1 }, func() string { return "no record" })
	all := lines()
	require.Len(t, all, 1)
	assert.Contains(t, all[0], `"severity":"Critical"`)
	assert.Contains(t, all[0], `"joined":{"format":"perception_point_syslog","damage":["truncated"]`)
	kill(c)
	c = run("1s") // the line that is left has waited for long
	waitFor(t, func() bool { return len(lines()) >= 2 }, func() string { return "the line without a scan does not come" })
	require.NoError(t, c.Stop(stopTimeout))
	all = lines()
	require.Len(t, all, 2)
	both := strings.Join(all, "\n")
	assert.Contains(t, both, `"attack_scenario":"Email without verdict"`)
	objects, err := harness.Tree(filepath.Join(dir, "out"))
	require.NoError(t, err)
	checkFindings(t, objects)
}

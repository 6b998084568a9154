package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
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
	"github.com/siempipe/siempipe/internal/test/peers"
)

// TestPerceptionPointToBucket pulls 100,000 scans of twenty hours into a bucket, in a collector that is killed three times
// on the way. Without a queue the exporter's answer is the bucket's, so a page that comes again after a kill is written under the same
// key: each scan is there once. Then a thousand of them change, and are there once more with what they are now.
func TestPerceptionPointToBucket(t *testing.T) {
	const scans, changes, kills = 100_000, 1_000, 3
	api := &perceptionpointapi.API{PageSize: 500}
	api.SetToken("e2e-token-0123456789")
	from := time.Now().Add(-20 * time.Hour)
	all := make([]perceptionpointapi.Record, scans)
	for i := range all {
		all[i] = perceptionpointapi.Scan(i, from.Add(time.Duration(i)*20*time.Hour/scans), "SUS")
	}
	api.Add(all...)
	source := httptest.NewServer(api)
	defer source.Close()
	server := peers.StartS3(t)
	server.CreateBucket(t, "scans")

	health, metrics := freeAddr(t), freeAddr(t)
	_, metricsPort, err := net.SplitHostPort(metrics)
	require.NoError(t, err)
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(token, []byte("e2e-token-0123456789\n"), 0o600))
	config := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte(fmt.Sprintf(`
receivers:
  perception_point:
    endpoint: %s
    token_file: %s
    interval: 1s
    overlap: 24h
    recheck_interval: 2s
    storage: file_storage
processors:
  siem:
exporters:
  panoptica_s3:
    bucket: scans
    region: %s
    endpoint: %s
    force_path_style: true
    compression: gzip
    sending_queue: {enabled: false}
extensions:
  health_check: {endpoint: %s}
  file_storage: {directory: %s, create_directory: true}
service:
  extensions: [health_check, file_storage]
  telemetry:
    metrics:
      readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %s}}}}]
  pipelines:
    logs: {receivers: [perception_point], processors: [siem], exporters: [panoptica_s3]}
`, source.URL, token, server.Region, server.Endpoint, health, filepath.Join(dir, "state"), metricsPort)), 0o600))

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
	objects := func() int {
		n := 0
		err := filepath.WalkDir(filepath.Join(server.Data, "scans"), func(path string, d os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".gz") {
				n++
			}
			return nil
		})
		require.NoError(t, err)
		return n
	}
	began := time.Now()
	var killedAt []int
	for k := range kills {
		c := run()
		quarter := (k + 1) * scans / api.PageSize / (kills + 1)
		waitFor(t, func() bool { return objects() >= quarter }, func() string { return fmt.Sprintf("%d objects, want %d", objects(), quarter) })
		require.NoError(t, syscall.Kill(c.Pid(), syscall.SIGKILL))
		<-c.Done()
		killedAt = append(killedAt, objects())
	}
	c := run()
	ctx, cancel := context.WithTimeout(t.Context(), arriveTimeout)
	defer cancel()
	require.NoError(t, c.WaitReady(ctx, "http://"+health))
	states, repeated := waitStates(t, server, "scans", scans)
	pulled := time.Since(began)
	assert.Empty(t, repeated, "scans that are there twice")
	for i := range scans {
		require.Equal(t, []string{"SUS"}, states[perceptionpointapi.ScanID(i)], i)
	}

	for i := range changes {
		api.Change(i*scans/changes, `"root_scan_summary":{"is_fn":false,"sub_verdict":null,"verbose_verdict":"SUS"}`, `"root_scan_summary":{"is_fn":true,"sub_verdict":null,"verbose_verdict":"MAL"}`)
	}
	states, repeated = waitStates(t, server, "scans", scans+changes)
	require.NoError(t, c.Stop(stopTimeout))
	assert.Empty(t, repeated, "states that are there twice")
	for i := range scans {
		want := 1
		if i%(scans/changes) == 0 {
			want = 2
			assert.Contains(t, states[perceptionpointapi.ScanID(i)], `MAL {"fields":["root_scan_summary"],"previous":{"Verdict":"SUS"}}`, i)
		}
		require.Len(t, states[perceptionpointapi.ScanID(i)], want, i)
	}
	assert.NotContains(t, log.String(), "e2e-token-0123456789")
	t.Logf("%d scans in %v with kills at %v objects; %d changes; %d requests; %d objects", scans, pulled.Round(time.Millisecond), killedAt, changes, len(api.Requests()), objects())
}

// waitStates waits until a bucket holds n records, and returns the states in which each scan is there, and those that are there
// more than once.
func waitStates(t *testing.T, server *peers.S3, bucket string, n int) (states map[string][]string, repeated []string) {
	t.Helper()
	known := map[string]harness.Object{}
	count := func() (lines int) {
		for key, content := range server.Objects(t, bucket) {
			if _, ok := known[key]; !ok {
				o, err := harness.NewObject(key, content)
				require.NoError(t, err)
				known[key] = o
			}
		}
		for _, o := range known {
			lines += len(o.Lines)
		}
		return lines
	}
	got := 0
	for deadline := time.Now().Add(5 * time.Minute); got < n; time.Sleep(time.Second) {
		if got = count(); time.Now().After(deadline) {
			t.Fatalf("%d records of %d in the bucket", got, n)
		}
	}
	time.Sleep(3 * time.Second) // for one too many
	require.Equal(t, n, count())
	states = map[string][]string{}
	seen := map[string]bool{}
	for _, o := range known {
		for _, line := range o.Lines {
			var scan struct {
				ID      string          `json:"Scan ID"`
				Verdict string          `json:"Verdict"`
				Change  json.RawMessage `json:"change"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &scan))
			state := strings.TrimSpace(scan.Verdict + " " + string(scan.Change))
			if seen[scan.ID+state] {
				repeated = append(repeated, scan.ID+" "+state)
			}
			seen[scan.ID+state] = true
			states[scan.ID] = append(states[scan.ID], state)
		}
	}
	return states, repeated
}

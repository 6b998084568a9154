package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// memoryEnv asks for TestCloudStorageMemory, which unpacks 500 MB; the receiver's own tests hold its heap to the bound.
const memoryEnv = "SIEMPIPE_MEMORY"

// TestCloudStorageMemory: what the whole collector grows by while it reads and parses one CloudTrail file of 500 MB unpacked.
func TestCloudStorageMemory(t *testing.T) {
	if os.Getenv(memoryEnv) == "" {
		t.Skipf("set %s=1 to run it", memoryEnv)
	}
	store := peers.StartS3(t)
	store.CreateBucket(t, "acme-logs")
	cloudTrail := soakFormats(t)[0]
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	require.NoError(t, err)
	unpacked, records := 0, 0
	write := func(text string) {
		unpacked += len(text)
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
	}
	write(cloudTrail.head)
	for ; unpacked < 500<<20; records++ {
		if records > 0 {
			write(cloudTrail.between)
		}
		write(cloudTrail.record(fmt.Sprintf("%08d%s", records, strings.Repeat("x", 600))))
	}
	write(cloudTrail.tail)
	require.NoError(t, w.Close())
	content := packed.Bytes()

	dir, log, metrics := t.TempDir(), &safeBuffer{}, freeAddr(t)
	_, port, _ := strings.Cut(metrics, ":")
	path := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(fmt.Sprintf(`
receivers:
  cloud_storage:
    s3: {bucket: acme-logs, region: %s, endpoint: %s, force_path_style: true}
    poll: {interval: 1s}
    storage: file_storage
processors:
  siem:
exporters:
  debug:
extensions:
  file_storage: {directory: %s, create_directory: true}
service:
  extensions: [file_storage]
  telemetry:
    metrics:
      readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %s}}}}]
  pipelines:
    logs: {receivers: [cloud_storage], processors: [siem], exporters: [debug]}
`, store.Region, store.Endpoint, filepath.Join(dir, "state"), port)), 0o600))
	c, err := harness.Start(binary, log, nil, "--config", path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Stop(stopTimeout)) })
	sent := func() int {
		m, err := harness.Scrape("http://" + metrics + "/metrics")
		if err != nil {
			return 0
		}
		return m.Sum("otelcol_exporter_sent_log_records")
	}
	time.Sleep(3 * time.Second)
	before := resident(t, c.Pid())
	_, err = store.Client().PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("acme-logs"), Key: aws.String("trail.json.gz"), Body: bytes.NewReader(content)})
	require.NoError(t, err)
	began := time.Now()
	for sent() < records {
		require.Less(t, time.Since(began), 5*time.Minute, "%d of %d records", sent(), records)
		time.Sleep(200 * time.Millisecond)
	}
	after := resident(t, c.Pid())
	t.Logf("%d records, %d MB unpacked, %d MB stored, in %s: at most %d MB resident, %d MB before", records, unpacked>>20, len(content)>>20,
		time.Since(began).Round(time.Second), after, before)
	assert.Less(t, after-before, 100)
}

// resident is the most memory that a process has had, in MB.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	match := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(t, match)
	kb, err := strconv.Atoi(string(match[1]))
	require.NoError(t, err)
	return kb >> 10
}

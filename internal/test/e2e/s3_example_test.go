package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// TestTwoBuckets runs the example as it is but for addresses: each tenant's findings are in its bucket and in no other, and
// with the default settings they are there soon after their 30 seconds. The test messages are there before the first of them.
func TestTwoBuckets(t *testing.T) {
	server := peers.StartS3(t)
	server.CreateBucket(t, "acme-siem-eu")
	server.CreateBucket(t, "acme-siem-archive")
	receiver, health := freeAddr(t), freeAddr(t)
	// What differs from the example: the addresses of this test.
	here := filepath.Join(t.TempDir(), "here.yaml")
	require.NoError(t, os.WriteFile(here, []byte(fmt.Sprintf(`
receivers: {findings: {endpoint: %s}}
exporters:
  panoptica_s3/eu: {endpoint: %s, force_path_style: true, region: %s}
  panoptica_s3/archive: {endpoint: %s, force_path_style: true, region: %s}
extensions: {health_check: {endpoint: %s}}
service: {telemetry: {metrics: {level: none}}}
`, receiver, server.Endpoint, server.Region, server.Endpoint, server.Region, health)), 0o600))
	log := &safeBuffer{}
	c, err := harness.Start(binary, log, exampleEnv(t), "--config", "../../../examples/two-buckets.yaml", "--config", here)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := c.Stop(stopTimeout); err != nil || t.Failed() {
			t.Errorf("SIGTERM: %v; the collector's log:\n%s", err, log)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), arriveTimeout)
	defer cancel()
	require.NoError(t, c.WaitReady(ctx, "http://"+health))

	buckets := func() map[string]map[string][]string { // lines by bucket and folder
		out := map[string]map[string][]string{}
		for _, bucket := range []string{"acme-siem-eu", "acme-siem-archive"} {
			out[bucket] = map[string][]string{}
			for key, content := range server.Objects(t, bucket) {
				o, err := harness.NewObject(key, content)
				require.NoError(t, err)
				s := o.Segments()
				folder := strings.Join([]string{s[0], s[1], s[3]}, "/")
				out[bucket][folder] = append(out[bucket][folder], o.Lines...)
			}
		}
		return out
	}
	for bucket, folders := range buckets() {
		assert.Len(t, folders["Panoptica/test/siempipe"], 1, bucket)
	}

	var body strings.Builder
	want := map[string]string{}
	for i, tenant := range []string{"id-eu-1", "id-us-1", "id-eu-2", "", "id-us-2"} {
		fmt.Fprintf(&body, `{"alert_id":"a-%d","detection_type":"other","account_id":"acct-%d"`, i, i)
		if tenant != "" {
			fmt.Fprintf(&body, `,"tenant_id":"%s"`, tenant)
		}
		body.WriteString("}\n")
		bucket := "acme-siem-archive"
		if strings.HasPrefix(tenant, "id-eu-") {
			bucket = "acme-siem-eu"
		}
		want[fmt.Sprintf("acct-%d", i)] = bucket
	}
	body.WriteString("this is no finding\n")
	posted := time.Now()
	a, err := harness.Post("http://"+receiver+"/v1/events", "application/x-ndjson", strings.NewReader(body.String()))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Code, "%+v", a)
	require.Equal(t, len(want)+1, a.Accepted)

	var got map[string]map[string][]string
	waitFor(t, func() bool {
		got = buckets()
		return len(got["acme-siem-eu"]) >= 1+2 && len(got["acme-siem-archive"]) >= 1+3+1
	}, func() string { return fmt.Sprint(got) })
	took := time.Since(posted)
	t.Logf("in the buckets %s after they were posted, with the default settings", took.Round(time.Millisecond))
	for account, bucket := range want {
		for b, folders := range got {
			n := 0
			if b == bucket {
				n = 1
			}
			assert.Len(t, folders["Panoptica/other/"+account], n, "%s in %s", account, b)
		}
	}
	assert.Len(t, got["acme-siem-archive"]["Panoptica/invalid/unknown"], 1)
	waitFor(t, func() bool { return strings.Contains(log.String(), "Test message stored") }, log.String)
}

// TestStartsWithoutItsBucket: the collector starts on a bucket that is not there, says what to do, and takes findings, which
// arrive once somebody did it.
func TestStartsWithoutItsBucket(t *testing.T) {
	server := peers.StartS3(t)
	r := start(t, []string{"panoptica_s3"}, fmt.Sprintf(`  panoptica_s3:
    bucket: later
    region: %s
    endpoint: %s
    force_path_style: true
    test_message: on_start
    retry_on_failure: {initial_interval: 100ms, max_interval: 500ms}
%s`, server.Region, server.Endpoint, fast))
	const hint = "create the bucket, or set bucket to one that exists"
	waitFor(t, func() bool { return strings.Contains(r.log.String(), hint) }, func() string { return "the log does not say what to do" })
	r.post(t, "panoptica", `{"alert_id":"load-1","detection_type":"other","account_id":"a","detection_timestamp":"2026-03-01T00:00:00Z"}`)
	time.Sleep(2 * time.Second) // some tries
	server.CreateBucket(t, "later")
	waitStored(t, server, "later", map[string]bool{"load-1": true}, arriveTimeout)
}

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// TestFindingStateSharded: the examples of both tiers, as they are but for addresses and the destination. Two collectors share the
// tenants, a tenant's findings and ends of scans are decided by one of them, and one that starts again has its tenants back.
func TestFindingStateSharded(t *testing.T) {
	const tenants, findings = 12, 25
	kafka := peers.StartKafka(t, "findings")
	dir, token := t.TempDir(), "0123456789abcdef"
	run := func(example string, env []string, change ...string) (c *harness.Collector, metrics string) {
		health := freeAddr(t)
		metrics = freeAddr(t)
		_, port, err := net.SplitHostPort(metrics)
		require.NoError(t, err)
		args := []string{"--config", "../../../examples/" + example}
		for _, c := range append(change, "extensions::health_check::endpoint: "+health,
			"service::telemetry::metrics::readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: "+port+"}}}}]") {
			args = append(args, "--config", "yaml:"+c)
		}
		log := &safeBuffer{}
		c, err = harness.Start(binary, log, append(env, "SIEMPIPE_KAFKA="+kafka, "SIEMPIPE_TOKEN="+token, "SIEMPIPE_SIEM=localhost:1"), args...)
		require.NoError(t, err)
		t.Cleanup(func() {
			assert.NoError(t, c.Stop(30*time.Second), example)
			if t.Failed() {
				t.Logf("%s:\n%.20000s", example, log)
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), arriveTimeout)
		defer cancel()
		require.NoError(t, c.WaitReady(ctx, "http://"+health), "%s", log)
		return c, metrics
	}

	receiver := freeAddr(t)
	run("finding-state-sharded.yaml", nil, "receivers::findings::endpoint: "+receiver)
	var keepers [2]*harness.Collector
	var metrics [2]string
	keep := func(i int) {
		home := filepath.Join(dir, fmt.Sprint(i))
		keepers[i], metrics[i] = run("finding-state-from-kafka.yaml", []string{"SIEMPIPE_STATE=" + home, fmt.Sprintf("SIEMPIPE_INSTANCE=state-%d", i)},
			"processors::finding_state::quiet_period: 3s", "exporters::panoptica_s3::directory: "+filepath.Join(home, "out"),
			"exporters::panoptica_s3::sending_queue: "+storedQueue, "service::pipelines::logs::exporters: [panoptica_s3]")
	}
	keep(0)
	keep(1)
	sum := func(i int, name string) int {
		m, err := harness.Scrape("http://" + metrics[i] + "/metrics")
		require.NoError(t, err)
		return m.Sum(name)
	}
	partitions := func(i int) int {
		return sum(i, "otelcol_kafka_receiver_partition_start") - sum(i, "otelcol_kafka_receiver_partition_close")
	}
	settled := func() {
		waitFor(t, func() bool { return partitions(0) > 0 && partitions(1) > 0 && partitions(0)+partitions(1) == 3 }, func() string {
			return fmt.Sprintf("the collectors have %d and %d partitions", partitions(0), partitions(1))
		})
	}
	settled()

	// arrived is what came out of each collector, by tenant.
	arrived := func() (all [2]map[string][]string, n int) {
		for i := range all {
			all[i] = map[string][]string{}
			out := filepath.Join(dir, fmt.Sprint(i), "out")
			if _, err := os.Stat(out); err != nil {
				continue
			}
			objects, err := harness.Tree(out)
			require.NoError(t, err)
			for _, o := range objects {
				for _, line := range o.Lines {
					var body map[string]any
					require.NoError(t, json.Unmarshal([]byte(line), &body), line)
					tenant := fmt.Sprint(body["tenant_id"])
					all[i][tenant] = append(all[i][tenant], fmt.Sprintf("%v %v", body["alert_id"], body["siem_change"]))
					n++
				}
			}
		}
		return all, n
	}
	post := func(tenant, body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+receiver+"/v1/events", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("X-Tenant", tenant)
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 200, res.StatusCode)
	}
	// scan posts what a tenant's scan finds: from the second on the first finding is missing and the last one is another.
	scan := func(tenant string, no int) {
		var list []string
		for i := range findings {
			version := 0
			if i == findings-1 {
				version = no
			}
			if i > 0 || no == 0 {
				list = append(list, fmt.Sprintf(`{"alert_id":"f-%d","tenant_id":%q,"account_id":"111122223333","detection_type":"security_finding","severity":"High","description":"version %d","detection_timestamp":"2026-03-01T08:00:00Z"}`, i, tenant, version))
			}
		}
		half := len(list) / 2
		id := fmt.Sprintf("%s-scan-%d", tenant, no)
		for _, part := range [][]string{list[:half], list[half:]} {
			post(tenant, fmt.Sprintf(`{"scan_id":%q,"status":"running","findings":[%s]}`, id, strings.Join(part, ",")))
		}
		post(tenant, fmt.Sprintf(`{"scan_id":%q,"status":"completed"}`, id))
	}
	var want []string
	for i := range findings {
		want = append(want, fmt.Sprintf("f-%d new", i))
	}
	check := func(round string) {
		n := 0
		waitFor(t, func() bool { _, n = arrived(); return n >= tenants*len(want) }, func() string {
			return fmt.Sprintf("%s: %d records, want %d", round, n, tenants*len(want))
		})
		all, _ := arrived()
		slices.Sort(want)
		for i := range tenants {
			tenant := fmt.Sprintf("id-%d", i)
			of := 0
			if len(all[1][tenant]) > 0 {
				of = 1
			}
			got := all[of][tenant]
			slices.Sort(got)
			require.Equal(t, want, got, "%s: %s at collector %d", round, tenant, of)
			require.Empty(t, all[1-of][tenant], "%s: %s is at both", round, tenant)
		}
		require.NotEmpty(t, all[0])
		require.NotEmpty(t, all[1])
	}
	for i := range tenants {
		scan(fmt.Sprintf("id-%d", i), 0)
	}
	check("first scan")
	for i := range tenants {
		scan(fmt.Sprintf("id-%d", i), 1)
	}
	want = append(want, fmt.Sprintf("f-%d changed", findings-1), "f-0 not_seen")
	check("second scan")

	require.NoError(t, keepers[1].Stop(30*time.Second))
	keep(1)
	settled()
	for i := range tenants {
		scan(fmt.Sprintf("id-%d", i), 2)
	}
	want = append(want, fmt.Sprintf("f-%d changed", findings-1))
	check("after a restart")
}

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// long runs tests at full length: with SIEMPIPE_LONG=1.
var long = os.Getenv("SIEMPIPE_LONG") != ""

// TestFaultsBeforeTheBucket breaks the connection to the store in all the ways that Toxiproxy knows, one after the other, while
// findings come in: in the end each record is there exactly once, none under another's key. The outage lasts 8 seconds, or
// 3 minutes with SIEMPIPE_LONG.
func TestFaultsBeforeTheBucket(t *testing.T) {
	server := peers.StartS3(t)
	server.CreateBucket(t, "faults")
	toxi := peers.StartToxiproxy(t, server.Endpoint)
	r := start(t, []string{"panoptica_s3"}, fmt.Sprintf(`  panoptica_s3:
    bucket: faults
    region: %s
    endpoint: %s
    force_path_style: true
    compression: gzip
    timeout: 5s
    retry_on_failure: {initial_interval: 200ms, max_interval: 2s}
    sending_queue: {batch: {flush_timeout: 500ms}}
`, server.Region, toxi.URL))
	outage, phase := 8*time.Second, 3*time.Second
	if long {
		outage, phase = 3*time.Minute, 20*time.Second
	}
	sum := func(name string) int {
		m, err := harness.Scrape("http://" + r.metrics + "/metrics")
		require.NoError(t, err)
		return m.Sum("otelcol_exporter_panoptica_s3_"+name+"_total") + m.Sum("otelcol_exporter_panoptica_s3_"+name)
	}
	retries := func() int { return strings.Count(r.log.String(), "Will retry the request after interval") }
	began := time.Now()
	l := startSenders("http://"+r.receiver+"/v1/events/panoptica", 2, 50*time.Millisecond)
	// during breaks the connection for a phase, and until what is to come of it has come.
	during := func(name, kind, stream string, toxicity float64, attributes map[string]any, until func() bool) {
		before := l.next.Load()
		toxi.Add(t, kind, stream, toxicity, attributes)
		time.Sleep(phase)
		if until != nil {
			waitFor(t, until, func() string { return name + ": nothing comes of it" })
		}
		toxi.Remove(t, kind, stream)
		t.Logf("%-34s %6d records sent meanwhile", name, l.next.Load()-before)
	}
	during("latency of 300 ± 200 ms", "latency", "downstream", 1, map[string]any{"latency": 300, "jitter": 200}, nil)
	during("every second connection reset", "reset_peer", "upstream", 0.5, map[string]any{"timeout": 100}, func() bool { return retries() > 0 })
	during("cut after store, every second time", "limit_data", "downstream", 0.5, map[string]any{"bytes": 0}, func() bool { return sum("objects_existing") > 0 })
	during("cut in the middle of a request", "limit_data", "upstream", 0.5, map[string]any{"bytes": 3000}, nil)
	during("throttled to 20 KB/s", "bandwidth", "upstream", 1, map[string]any{"rate": 20}, nil)
	before := l.next.Load()
	toxi.Enable(t, false)
	time.Sleep(outage)
	toxi.Enable(t, true)
	t.Logf("%-34s %6d records sent meanwhile", fmt.Sprintf("outage of %s", outage), l.next.Load()-before)
	recovered := time.Now()
	acked := l.end()
	s := waitStored(t, server, "faults", acked, 2*arriveTimeout)

	t.Logf("%d records in %d objects after %s, %s after the end of the outage; %d retries, %d puts found their object there; %d duplicates",
		len(s.seen), s.objects, time.Since(began).Round(time.Second), time.Since(recovered).Round(time.Second), retries(), sum("objects_existing"), s.duplicates())
	assert.Equal(t, len(acked), len(s.seen))
	assert.Zero(t, l.refused.Load(), "posts refused")
	assert.Zero(t, s.duplicates())
	assert.Positive(t, retries(), "there were no faults")
	assert.Positive(t, sum("objects_existing"), "no answer was lost after the object was stored")
	assert.LessOrEqual(t, sum("objects"), s.objects)
}

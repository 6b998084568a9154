package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
)

// stateRun is a collector with a finding_state processor that can be started again on what it left.
type stateRun struct {
	running
	dir    string // holds out, state and queue
	config string
}

// storedQueue is the exporter's queue for what must not wait for the destination.
const storedQueue = "{storage: file_storage/queue, block_on_overflow: true, batch: {flush_timeout: 500ms}}"

func newStateRun(t *testing.T, findingState, queue string) *stateRun {
	t.Helper()
	r := &stateRun{dir: t.TempDir()}
	r.receiver, r.health, r.metrics, r.log = freeAddr(t), freeAddr(t), freeAddr(t), &safeBuffer{}
	_, metricsPort, err := net.SplitHostPort(r.metrics)
	require.NoError(t, err)
	r.config = filepath.Join(r.dir, "config.yaml")
	require.NoError(t, os.WriteFile(r.config, fmt.Appendf(nil, `
receivers:
  findings: {endpoint: %[1]s}
processors:
  siem:
    exclude: {dismissed: false, snoozed: false}
    scan_events: pass
  finding_state:
    storage: file_storage/state
    emit: changes
    annotate_body: true
%[2]s
exporters:
  panoptica_s3:
    directory: %[3]s/out
    sending_queue: %[6]s
extensions:
  health_check: {endpoint: %[4]s}
  file_storage/state: {directory: %[3]s/state, create_directory: true}
  file_storage/queue: {directory: %[3]s/queue, create_directory: true}
service:
  extensions: [health_check, file_storage/state, file_storage/queue]
  telemetry:
    metrics:
      readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %[5]s}}}}]
  pipelines:
    logs: {receivers: [findings], processors: [siem, finding_state], exporters: [panoptica_s3]}
`, r.receiver, findingState, r.dir, r.health, metricsPort, queue), 0o600))
	return r
}

// sum reads one of the collector's own metrics.
func (r *stateRun) sum(t *testing.T, name string, labels ...string) int {
	t.Helper()
	m, err := harness.Scrape("http://" + r.metrics + "/metrics")
	require.NoError(t, err)
	return m.Sum(name, labels...)
}

// waitStored waits until the exporter has stored so many records, as long as it makes progress.
func (r *stateRun) waitStored(t *testing.T, want int) error {
	sent, since := 0, time.Now()
	for {
		now := r.sum(t, "otelcol_exporter_sent_log_records", "exporter", "panoptica_s3")
		switch {
		case now >= want:
			return nil
		case now > sent:
			sent, since = now, time.Now()
		case time.Since(since) > arriveTimeout:
			return fmt.Errorf("%d of %d records stored", now, want)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// stored is what arrived, as "id change fields" each.
func (r *stateRun) stored(t *testing.T) (lines []string, bodies []map[string]any) {
	t.Helper()
	objects, err := harness.Tree(filepath.Join(r.dir, "out"))
	require.NoError(t, err)
	for _, o := range objects {
		for _, line := range o.Lines {
			var body map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &body), line)
			var fields []string
			if list, ok := body["siem_changed_fields"].([]any); ok {
				for _, f := range list {
					fields = append(fields, f.(string))
				}
			}
			lines = append(lines, fmt.Sprintf("%v %v %s", body["alert_id"], body["siem_change"], strings.Join(fields, ",")))
			bodies = append(bodies, body)
		}
	}
	slices.Sort(lines)
	return lines, bodies
}

// scanned is how one finding is in one scan.
type scanned struct {
	present, resolved bool
	version           int
}

// chance is the same for the same finding and scan each time.
func chance(i, scan, salt, oneIn int) bool {
	h := fnv.New32a()
	fmt.Fprintf(h, "%d %d %d", i, scan, salt)
	return h.Sum32()%uint32(oneIn) == 0
}

func scanOf(i, scan, n int) (s scanned) {
	first := 0
	if i >= n { // each scan after the first finds one in a hundred more
		first = 1 + (i-n)/(n/100)
	}
	s.present = scan >= first && !(scan > first && chance(i, scan, 1, 97))
	for later := first + 1; later <= scan; later++ {
		if chance(i, later, 2, 50) {
			s.version++
		}
	}
	s.resolved = scan >= 2 && chance(i, 0, 3, 83) && (scan < 4 || i%2 == 0)
	return s
}

func (s scanned) body(i, scan int) string {
	return fmt.Sprintf(`{"labels":["Sensitive"],"alert_id":"f-%08d","asset_id":"arn:aws:ec2:eu-central-1:%012d:instance/i-%d","provider":"AWS","resolved":%t,"severity":"High","tenant_id":"id-1234","account_id":"%012d","description":"Finding %d, version %d. The instance is reachable from the internet on port 22 and its role can assume roles that administer the account. Restrict the security group to known addresses and take the permission to assume roles from its role.","resource_type":"Compute","risk_category":"Vulnerable Public Workload","detection_type":"security_finding","attack_scenario":"Publicly reachable instance with an administrative role","related_resources":[["i-%d","role/admin"]],"detection_timestamp":"2026-03-0%dT08:00:00Z","first_seen_timestamp":"2024-01-02T03:04:05Z"}`,
		i, i%7, i, s.resolved, i%7, i, s.version, i, scan+1)
}

// told is what the model remembers of a finding.
type told struct {
	scanned
	notSeen bool
}

// expect is what must go on in a scan, and then how many findings are missed.
func expect(state map[int]*told, scan, total, n int) (lines []string, notSeen int) {
	for i := range total {
		s := scanOf(i, scan, n)
		old := state[i]
		if !s.present {
			if old != nil && !old.resolved && !old.notSeen {
				old.notSeen = true
				notSeen++
				lines = append(lines, fmt.Sprintf("f-%08d not_seen ", i))
			}
			continue
		}
		if old == nil {
			change := "new"
			if s.resolved {
				change = "resolved"
			}
			state[i] = &told{scanned: s}
			lines = append(lines, fmt.Sprintf("f-%08d %s ", i, change))
			continue
		}
		var fields []string
		if s.version != old.version {
			fields = append(fields, "description")
		}
		if s.resolved != old.resolved {
			fields = append(fields, "resolved")
		}
		change := ""
		switch {
		case s.resolved && !old.resolved:
			change = "resolved"
		case !s.resolved && (old.resolved || old.notSeen):
			change = "reopened"
		case len(fields) > 0:
			change = "changed"
		}
		if change != "" {
			lines = append(lines, fmt.Sprintf("f-%08d %s %s", i, change, strings.Join(fields, ",")))
			old.scanned = s
		}
		old.notSeen = false
	}
	return lines, notSeen
}

// TestFindingStateScans runs five scans through the built collector and compares what arrives with a model, record by record.
// SIEMPIPE_FINDINGS sets how many findings a scan has.
func TestFindingStateScans(t *testing.T) {
	n := 10_000
	if s := os.Getenv("SIEMPIPE_FINDINGS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	const scans = 5
	for _, release := range []string{"immediately", "on_scan_completed"} {
		t.Run(release, func(t *testing.T) {
			r := newStateRun(t, "    release: "+release+"\n    emit_not_seen: true\n    quiet_period: 5s\n    heartbeat: 0s", storedQueue)
			r.run(t, r.config, nil)
			total := n + (scans-1)*(n/100)
			state := map[int]*told{}
			var want []string
			missed, records := 0, 0
			began := time.Now()
			for scan := range scans {
				for from := 0; from < total; from += 20_000 {
					reader, writer := io.Pipe()
					go func() {
						_ = writer.CloseWithError(writeScan(writer, scan, from, min(from+20_000, total), n, &records))
					}()
					a, err := harness.Post("http://"+r.receiver+"/v1/events/panoptica", "application/json", reader)
					require.NoError(t, err)
					require.Equal(t, 200, a.Code, "%+v", a)
				}
				r.post(t, "", fmt.Sprintf(`{"scan_id":"scan-%d","status":"completed"}`, scan))
				lines, notSeen := expect(state, scan, total, n)
				want = append(want, lines...)
				missed += notSeen
				deadline := time.Now().Add(arriveTimeout + time.Duration(n)*500*time.Microsecond)
				for r.sum(t, "otelcol_processor_finding_state_not_seen") < missed || r.sum(t, "otelcol_processor_finding_state_records_out") < len(want) {
					require.False(t, time.Now().After(deadline), "scan %d: %d of %d missed, %d of %d out", scan,
						r.sum(t, "otelcol_processor_finding_state_not_seen"), missed, r.sum(t, "otelcol_processor_finding_state_records_out"), len(want))
					time.Sleep(100 * time.Millisecond)
				}
				if scan == 2 {
					require.NoError(t, r.waitStored(t, len(want)))
					require.NoError(t, r.Stop(stopTimeout))
					r.run(t, r.config, nil) // counts its metrics from 0 again
					want, missed = slices.Clone(want), 0
					slices.Sort(want)
					got, bodies := r.stored(t)
					require.Equal(t, len(want), len(got))
					require.Equal(t, want, got)
					checkUnseen(t, bodies)
					require.NoError(t, os.RemoveAll(filepath.Join(r.dir, "out")))
					want = nil
				}
			}
			require.NoError(t, r.waitStored(t, len(want)))
			slices.Sort(want)
			got, bodies := r.stored(t)
			require.Equal(t, len(want), len(got))
			require.Equal(t, want, got)
			checkUnseen(t, bodies)
			in, out := r.sum(t, "otelcol_processor_finding_state_bytes_in"), r.sum(t, "otelcol_processor_finding_state_bytes_out")
			t.Logf("%d findings × %d scans, %d records in %s; of the last two scans %d of %d KB went on: %.1f%% saved", n, scans, records,
				time.Since(began).Round(time.Second), out>>10, in>>10, 100-100*float64(out)/float64(in))
			assert.Less(t, out*10, in)
		})
	}
}

// writeScan writes a part of a scan as an envelope.
func writeScan(w io.Writer, scan, from, to, n int, records *int) error {
	text := fmt.Sprintf(`{"scan_id":"scan-%d","status":"running","findings":[`, scan)
	comma := ""
	for i := from; i < to; i++ {
		s := scanOf(i, scan, n)
		if !s.present {
			continue
		}
		text += comma + s.body(i, scan)
		comma = ","
		*records++
		if len(text) > 64<<10 {
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
			text = ""
		}
	}
	_, err := io.WriteString(w, text+"]}")
	return err
}

// checkUnseen: a record of a finding that did not come again says which and when.
func checkUnseen(t *testing.T, bodies []map[string]any) {
	t.Helper()
	seen := 0
	for _, body := range bodies {
		if body["siem_change"] != "not_seen" {
			continue
		}
		seen++
		require.Equal(t, "id-1234", body["tenant_id"])
		require.Len(t, body["account_id"], 12)
		require.Equal(t, "High", body["severity"])
		require.Equal(t, "security_finding", body["detection_type"])
		last, err := time.Parse(time.RFC3339, body["siem_last_seen"].(string))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), last, time.Hour)
	}
	require.Positive(t, seen)
}

// TestFindingStateKilled kills the collector under load. Each post that was answered went on or is remembered: the last version of
// each finding arrives at least once, and one that comes more often was in a post that a kill cut off.
func TestFindingStateKilled(t *testing.T) {
	const kills, findings, batch = 6, 400, 40
	// Without a queue, "delivered" is "in its file": a queue sends again by itself what it was sending when it was killed.
	r := newStateRun(t, "    quiet_period: 0s\n    cache_findings: 16384", "{enabled: false}")
	url := "http://" + r.receiver + "/v1/events/panoptica"
	start := func() {
		c, err := harness.Start(binary, r.log, nil, "--config", r.config)
		require.NoError(t, err)
		r.Collector = c
		t.Cleanup(func() { _ = c.Stop(stopTimeout) })
		ctx, cancel := context.WithTimeout(t.Context(), arriveTimeout)
		defer cancel()
		require.NoError(t, c.WaitReady(ctx, "http://"+r.health))
	}
	start()
	versions := make([]int, findings)
	repeated := map[string]bool{} // in posts that were sent more than once
	posts := 0
	for range kills {
		killed := make(chan struct{})
		go func(pid int) {
			time.Sleep(time.Duration(rand.IntN(900)+50) * time.Millisecond)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			close(killed)
		}(r.Pid())
		for alive := true; alive; {
			var text strings.Builder
			var inPost []string
			for range batch {
				i := rand.IntN(findings)
				if rand.IntN(2) == 0 {
					versions[i]++
				}
				fmt.Fprintln(&text, scanned{version: versions[i]}.body(i, 0))
				inPost = append(inPost, fmt.Sprintf("%d/%d", i, versions[i]))
			}
			posts++
			for {
				a, err := harness.Post(url, "application/json", strings.NewReader(text.String()))
				if err == nil && a.Code == 200 {
					break
				}
				for _, key := range inPost {
					repeated[key] = true
				}
				if err != nil {
					<-killed
					<-r.Done()
					start()
					alive = false
				}
			}
			select {
			case <-killed:
				if alive { // between two posts
					<-r.Done()
					start()
					alive = false
				}
			default:
			}
		}
	}
	want := 0
	for _, v := range versions {
		if v > 0 {
			want++
		}
	}
	var last []int
	arrived := map[string]int{}
	waitFor(t, func() bool {
		_, bodies := r.stored(t)
		last = make([]int, findings)
		clear(arrived)
		for _, body := range bodies {
			var i, v int
			_, err := fmt.Sscanf(body["description"].(string), "Finding %d, version %d.", &i, &v)
			require.NoError(t, err)
			last[i] = max(last[i], v)
			arrived[fmt.Sprintf("%d/%d", i, v)]++
		}
		return slices.Equal(last, versions)
	}, func() string {
		missing := 0
		for i := range versions {
			if last[i] != versions[i] {
				missing++
			}
		}
		return fmt.Sprintf("the last version of %d findings did not arrive", missing)
	})
	duplicates := 0
	for key, n := range arrived {
		if n > 1 {
			duplicates++
			assert.True(t, repeated[key], "%s came %d times though it was posted and answered once", key, n)
		}
	}
	t.Logf("%d kills, %d posts: nothing lost, %d records twice, all of posts that a kill cut off", kills, posts, duplicates)
}

func TestFindingStateNeedsStorage(t *testing.T) {
	for name, c := range map[string]struct{ config, extension, want string }{
		"none":             {"{}", "", "there is no extension file_storage"},
		"not an extension": {"{storage: file_storage}", "", "there is no extension file_storage"},
		"no storage":       {"{storage: zpages}", "zpages", "extension zpages is no storage"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `
receivers:
  findings: {endpoint: %s}
processors:
  siem:
  finding_state: %s
exporters:
  debug:
extensions:
  zpages: {endpoint: %s}
service:
  extensions: [%s]
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [findings], processors: [siem, finding_state], exporters: [debug]}
`, freeAddr(t), c.config, freeAddr(t), c.extension), 0o600))
			log := &safeBuffer{}
			collector, err := harness.Start(binary, log, nil, "--config", path)
			require.NoError(t, err)
			select {
			case <-collector.Done():
			case <-time.After(arriveTimeout):
				_ = collector.Stop(time.Second)
				t.Fatal("it runs")
			}
			assert.Contains(t, log.String(), c.want)
		})
	}
}

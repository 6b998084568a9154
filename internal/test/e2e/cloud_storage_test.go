package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// TestCloudStorageThroughKafka: the examples of both tiers, as they are but for the addresses of this test's servers: objects
// in a bucket, told of by a queue, through Kafka into a directory. The broken ones come out as invalid records.
func TestCloudStorageThroughKafka(t *testing.T) {
	const objects = 100
	peer := peers.StartMoto(t)
	store := peers.StartS3(t)
	kafka := peers.StartKafka(t, "siempipe-raw")
	queue, _, _ := peer.CreateQueue(t, "objects", "")
	store.CreateBucket(t, "acme-logs")
	formats := soakFormats(t)
	want := map[string]bool{}
	var all []soakObject
	for n := range objects {
		o := soakOf(formats, n)
		all = append(all, o)
		for mark := range o.marks {
			want[mark] = true
		}
	}
	putAll(t, store, "acme-logs", all)
	notifyAll(t, peer, queue, "acme-logs", all)

	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	env := []string{
		"SIEMPIPE_LOG_BUCKET=acme-logs", "SIEMPIPE_REGION=" + store.Region, "SIEMPIPE_QUEUE_URL=" + queue, "SIEMPIPE_KAFKA=" + kafka,
		"SIEMPIPE_STATE=" + filepath.Join(dir, "state"), "SIEMPIPE_BUCKET=unused",
	}
	run := func(example string, change ...string) *harness.Collector {
		args := []string{"--config", "../../../examples/" + example}
		for _, c := range append(change, "extensions::health_check::endpoint: "+freeAddr(t), "service::telemetry::metrics::level: none") {
			args = append(args, "--config", "yaml:"+c)
		}
		log := &safeBuffer{}
		c, err := harness.Start(binary, log, env, args...)
		require.NoError(t, err)
		t.Cleanup(func() {
			assert.NoError(t, c.Stop(stopTimeout), example)
			if t.Failed() {
				t.Logf("%s:\n%.20000s", example, log)
			}
		})
		return c
	}
	receiving := []string{
		"receivers::cloud_storage::s3::endpoint: " + store.Endpoint, "receivers::cloud_storage::s3::force_path_style: true",
		"receivers::cloud_storage::notifications::sqs::endpoint: " + peer.Endpoint, "receivers::cloud_storage::retry_delay: 1s",
		"receivers::cloud_storage::max_tries: 2",
	}
	run("cloud-storage-to-kafka.yaml", receiving...)
	run("cloud-storage-to-kafka.yaml", receiving...) // two replicas, which share nothing but the queue
	run("cloud-storage-from-kafka.yaml", "exporters::panoptica_s3::bucket: ''", "exporters::panoptica_s3::directory: "+out,
		"exporters::panoptica_s3::sending_queue::batch::flush_timeout: 500ms")

	missing := func() (marks []string) {
		tree, err := harness.Tree(out)
		require.NoError(t, err)
		var text strings.Builder
		for i := range tree {
			text.WriteString(strings.Join(tree[i].Lines, "\n"))
		}
		for mark := range want {
			if !strings.Contains(text.String(), mark) {
				marks = append(marks, mark)
			}
		}
		return marks
	}
	waitFor(t, func() bool { return len(missing()) == 0 }, func() string {
		m := missing()
		return fmt.Sprintf("%d of %d records are missing, %s among them", len(m), len(want), m[0])
	})
	waitFor(t, func() bool { return peer.Waiting(t, queue) == 0 }, func() string { return "messages are left" })
	// What was given up comes the same way; its message is deleted only then.
	waitFor(t, func() bool { _, err := os.Stat(filepath.Join(out, "Panoptica", "invalid")); return err == nil }, func() string { return "no invalid record" })
}

// TestKubernetesExample: what the manifest runs is an example that validates, with the environment that it sets.
func TestKubernetesExample(t *testing.T) {
	text, err := os.ReadFile("../../../examples/kubernetes/cloud-storage.yaml")
	require.NoError(t, err)
	var manifest struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Args []string
						Env  []struct{ Name, Value string }
					}
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &manifest))
	containers := manifest.Spec.Template.Spec.Containers
	require.Len(t, containers, 1)
	require.Equal(t, []string{"--config", "/etc/siempipe/config.yaml"}, containers[0].Args)
	var env []string
	for _, e := range containers[0].Env {
		env = append(env, e.Name+"="+e.Value)
	}
	out, err := run(t, env, "validate", "--config", "../../../examples/cloud-storage-to-kafka.yaml")
	require.NoError(t, err, out)
}

// TestLoopIsRefused: a receiver under the exporter's own root does not start; the exporter tells it through the process alone.
func TestLoopIsRefused(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	config := `
receivers:
  cloud_storage:
    s3: {bucket: acme-siem, prefix: Panoptica/other/, region: eu-central-1}
    notifications: {sqs: {queue_url: "https://sqs.eu-central-1.amazonaws.com/111122223333/q"}}
processors:
  siem:
exporters:
  panoptica_s3: {bucket: acme-siem, region: eu-central-1}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [cloud_storage], processors: [siem], exporters: [panoptica_s3]}
`
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	out, err := run(t, nil, "--config", path)
	require.Error(t, err, "it must not start")
	assert.Contains(t, out, "s3::bucket: this collector itself writes to acme-siem/Panoptica")
}

// TestCorpusFromBucket: every case of every format as an object of its own, found by listing: as many records of each event
// type come out as the goldens say.
func TestCorpusFromBucket(t *testing.T) {
	store := peers.StartS3(t)
	store.CreateBucket(t, "acme-logs")
	cases, err := harness.Corpus("../../../testdata")
	require.NoError(t, err)
	var objects []soakObject
	var formats strings.Builder
	want, named, n := map[string]int{}, map[string]bool{}, 0
	seen, equal := map[string]bool{}, map[string]int{} // records that can be one object with an equal one of another batch
	for i := range cases {
		c := &cases[i]
		format := c.PostFormat()
		if format == "" {
			format = "auto"
		}
		if !named[format] {
			named[format] = true
			fmt.Fprintf(&formats, "      - {key: \"%s/*\", format: %s}\n", format, format)
		}
		objects = append(objects, soakObject{key: format + "/" + c.Name, content: c.Input})
		expected, err := c.Expect(time.Now())
		require.NoError(t, err)
		for _, e := range expected {
			if e.Dropped == "" {
				want[e.EventType]++
				n++
				if seen[e.Same()] {
					equal[e.EventType]++
					n--
				}
				seen[e.Same()] = true
			}
		}
	}
	putAll(t, store, "acme-logs", objects)

	dir := t.TempDir()
	out, log := filepath.Join(dir, "out"), &safeBuffer{}
	path := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(fmt.Sprintf(`
receivers:
  cloud_storage:
    s3: {bucket: acme-logs, region: %s, endpoint: %s, force_path_style: true}
    poll: {interval: 1s}
    storage: file_storage
    formats:
%sprocessors:
  siem:
exporters:
  panoptica_s3:
    directory: %s
    sending_queue: {batch: {flush_timeout: 500ms}}
extensions:
  file_storage: {directory: %s, create_directory: true}
service:
  extensions: [file_storage]
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [cloud_storage], processors: [siem], exporters: [panoptica_s3]}
`, store.Region, store.Endpoint, formats.String(), out, filepath.Join(dir, "state"))), 0o600))
	c, err := harness.Start(binary, log, nil, "--config", path)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the collector's log:\n%.20000s", log)
		}
	})
	count := func() (got map[string]int, all int) {
		tree, err := harness.Tree(out)
		require.NoError(t, err)
		got = map[string]int{}
		for i := range tree {
			got[tree[i].Segments()[1]] += len(tree[i].Lines)
			all += len(tree[i].Lines)
		}
		return got, all
	}
	waitFor(t, func() bool { _, all := count(); return all >= n }, func() string {
		got, all := count()
		return fmt.Sprintf("%d records, want %d: %v, want %v", all, n, got, want)
	})
	require.NoError(t, c.Stop(stopTimeout))
	got, _ := count()
	for eventType := range got {
		assert.LessOrEqual(t, got[eventType], want[eventType], eventType)
	}
	for eventType := range want {
		assert.GreaterOrEqual(t, got[eventType], want[eventType]-equal[eventType], eventType)
	}
	t.Logf("%d objects of %d formats: %d records of %d event types", len(objects), len(named), n, len(want))
}

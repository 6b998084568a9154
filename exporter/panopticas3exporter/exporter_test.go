package panopticas3exporter

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/exporter/panopticas3exporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/record"
)

// testPatience is how long a test waits for what must come, and bounds what must end: a busy machine is slow and may pause.
const testPatience = time.Minute

// quick is the default configuration on a directory, in a hurry.
func quick(t *testing.T) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Directory = t.TempDir()
	cfg.QueueConfig.Get().Batch.Get().FlushTimeout = 50 * time.Millisecond
	cfg.RetryConfig.InitialInterval = 10 * time.Millisecond
	return cfg
}

func start(t *testing.T, cfg *Config) exporter.Logs {
	t.Helper()
	require.NoError(t, confmap.Validate(cfg))
	e, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	return e
}

// put writes records the way the siem processor leaves them.
func put(logs plog.Logs, recs ...record.Record) {
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range recs {
		logrecord.Write(&recs[i], records.AppendEmpty())
	}
}

// tree reads every file under dir: its lines by its path.
func tree(t *testing.T, dir string) map[string][]string {
	t.Helper()
	out := make(map[string][]string)
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(path)
		require.NoError(t, err)
		defer file.Close()
		var r io.Reader = file
		if strings.HasSuffix(path, ".gz") {
			r, err = gzip.NewReader(file)
			require.NoError(t, err)
		}
		name, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		for scanner := bufio.NewScanner(r); scanner.Scan(); {
			out[name] = append(out[name], scanner.Text())
		}
		return nil
	}))
	return out
}

// TestPartitionsNeverMix sends 10,000 interleaved records of 40 accounts, 3 event types and 3 days, one of them around
// midnight, through queue and batcher and finds each exactly once, under its own key.
func TestPartitionsNeverMix(t *testing.T) {
	cfg := quick(t)
	e := start(t, cfg)
	types := []string{record.SecurityFinding, record.AttackPath, record.Other}
	days := []time.Time{
		time.Date(2026, 2, 27, 12, 0, 0, 0, time.UTC),
		time.Date(2026, 2, 28, 23, 59, 59, 999_000_000, time.UTC),
		time.Date(2026, 3, 1, 1, 0, 0, 0, time.FixedZone("", 3600)), // midnight UTC
	}
	const n = 10_000
	var last string
	for from := 0; from < n; from += 500 {
		var recs []record.Record
		for i := from; i < from+500; i++ {
			account, eventType, day := fmt.Sprintf("acct-%d", i%40), types[i/40%3], days[i/120%3]
			last = new(objectstore.Days).PartitionOf(&record.Record{EventType: eventType, AccountID: account, Time: day}, time.Time{}).Key("Panoptica", "")
			recs = append(recs, record.Record{
				Body: fmt.Sprintf(`{"n":%d,"at":"%s"}`, i, last), EventType: eventType, AccountID: account, Time: day,
			})
		}
		logs := plog.NewLogs()
		put(logs, recs...)
		require.NoError(t, e.ConsumeLogs(t.Context(), logs))
	}
	require.NoError(t, e.Shutdown(context.Background()))

	seen := make(map[string]bool, n)
	folders := make(map[string]bool)
	for name, lines := range tree(t, cfg.Directory) {
		folder := filepath.ToSlash(filepath.Dir(name)) + "/"
		folders[folder] = true
		for _, line := range lines {
			assert.False(t, seen[line], "twice: %s", line)
			seen[line] = true
			assert.Contains(t, line, `"at":"`+strings.TrimSuffix(folder, "/"), name)
		}
	}
	assert.Len(t, seen, n)
	assert.Len(t, folders, 40*3*3)
	assert.Contains(t, last, "/2026-03-01/")
}

func TestReplayWritesTheSameKey(t *testing.T) {
	cfg := quick(t)
	rec := record.Record{Body: `{"a":1}`, EventType: record.Other, AccountID: "../etc/passwd", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for range 2 {
		e := start(t, cfg)
		logs := plog.NewLogs()
		put(logs, rec)
		require.NoError(t, e.ConsumeLogs(t.Context(), logs))
		require.NoError(t, e.Shutdown(context.Background()))
	}
	got := tree(t, cfg.Directory)
	require.Len(t, got, 1)
	for name := range got {
		assert.Regexp(t, `^Panoptica/other/2026-01-02/\.\._etc_passwd/20260102T030405Z-[0-9a-f]{32}\.json$`, filepath.ToSlash(name))
	}
}

func TestKeys(t *testing.T) {
	received := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for name, c := range map[string]struct {
		change func(*Config)
		rec    record.Record
		want   string
	}{
		"time of arrival":    {nil, record.Record{Body: "{}", EventType: record.Other, Received: received}, "Panoptica/other/2026-05-06/unknown"},
		"one event type":     {func(c *Config) { c.EventType, c.Root = "siem", "lake/a b" }, record.Record{Body: "{}", EventType: record.Other, AccountID: "1", Received: received}, "lake/a_b/siem/2026-05-06/1"},
		"never through siem": {nil, record.Record{Body: "{}", Received: received}, "Panoptica/unknown/2026-05-06/unknown"},
		"time of export":     {func(c *Config) { c.PartitionTime = partitionByExport }, record.Record{Body: "{}", EventType: record.Other, AccountID: "1", Received: received}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := quick(t)
			if c.change != nil {
				c.change(cfg)
			}
			before := time.Now()
			e := start(t, cfg)
			logs := plog.NewLogs()
			put(logs, c.rec)
			require.NoError(t, e.ConsumeLogs(t.Context(), logs))
			require.NoError(t, e.Shutdown(context.Background()))
			want := []string{c.want}
			if c.want == "" { // today, which midnight may have ended
				for _, at := range []time.Time{before, time.Now()} {
					want = append(want, "Panoptica/other/"+at.UTC().Format(time.DateOnly)+"/1")
				}
			}
			got := tree(t, cfg.Directory)
			assert.Len(t, got, 1)
			for name := range got {
				assert.Contains(t, want, filepath.ToSlash(filepath.Dir(name)))
			}
		})
	}
}

// TestStoreThatComesBack: while the directory cannot be written to nothing is lost, and afterwards all of it is there.
func TestStoreThatComesBack(t *testing.T) {
	cfg := quick(t)
	e := start(t, cfg)
	blocker := filepath.Join(cfg.Directory, "Panoptica") // a file where a folder is due
	require.NoError(t, os.WriteFile(blocker, nil, 0o600))
	logs := plog.NewLogs()
	put(logs, record.Record{Body: `{"n":1}`, EventType: record.Other})
	require.NoError(t, e.ConsumeLogs(t.Context(), logs))
	time.Sleep(200 * time.Millisecond)
	require.NoError(t, os.Remove(blocker))
	require.Eventually(t, func() bool { return len(tree(t, cfg.Directory)) == 1 }, testPatience, 20*time.Millisecond)
	require.NoError(t, e.Shutdown(context.Background()))
}

func TestValidateNamesEveryKey(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	require.ErrorContains(t, confmap.Validate(cfg), "bucket: required")
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"bucket": "No Bucket", "directory": "x", "role_arn": "me", "endpoint": "s3", "expected_bucket_owner": "1",
		"server_side_encryption": map[string]any{"type": "rot13", "kms_key_id": "k"},
		"partition_time":         "now", "compression": "lzma", "test_message": "maybe",
		"acl": "public-read", "tags": map[string]any{"a,b": "c"}, "root": strings.Repeat("r", 300), "external_id": "a b", "session_name": "x",
		"sending_queue": map[string]any{"batch": map[string]any{"partition": map[string]any{"metadata_keys": []string{"tenant"}}}},
	}).Unmarshal(cfg))
	err := confmap.Validate(cfg)
	for _, key := range []string{"directory", "role_arn", "endpoint", "expected_bucket_owner", "server_side_encryption::type",
		"server_side_encryption::kms_key_id", "partition_time", "compression", "test_message", "metadata_keys", "acl", "tags::a,b", "root", "external_id", "session_name"} {
		assert.ErrorContains(t, err, key)
	}
}

// TestMinSizeFollows: who lowers one size need not know of the other.
func TestMinSizeFollows(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		queue map[string]any
		want  int64
	}{
		{nil, 32 * mib},
		{map[string]any{"queue_size": 1024 * mib}, 32 * mib},
		{map[string]any{"queue_size": 8 * mib}, 2 * mib},
		{map[string]any{"queue_size": mib}, mib / 4},
		{map[string]any{"batch": map[string]any{"max_size": 16 * mib}}, 16 * mib},
		{map[string]any{"queue_size": 8 * mib, "batch": map[string]any{"min_size": 5 * mib}}, 5 * mib},
		{map[string]any{"sizer": "requests", "queue_size": 100}, 32 * mib},
		{map[string]any{"sizer": "items", "queue_size": 100, "batch": map[string]any{"flush_timeout": "5s"}}, 25},
		{map[string]any{"batch": map[string]any{"sizer": "items"}}, 32 << 10},
	} {
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, confmap.NewFromStringMap(map[string]any{"directory": "/tmp", "sending_queue": c.queue}).Unmarshal(cfg))
		assert.NoError(t, confmap.Validate(cfg), c.queue)
		assert.Equal(t, c.want, cfg.QueueConfig.Get().Batch.Get().MinSize, c.queue)
	}
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"directory": "/tmp", "sending_queue": map[string]any{
		"queue_size": 8 * mib, "batch": map[string]any{"min_size": 9 * mib}}}).Unmarshal(cfg))
	assert.ErrorContains(t, confmap.Validate(cfg), "min_size", "what is written is not changed")
}

// TestQueueSizeOfAnotherUnit: the default is bytes, which most other exporters' queues do not count.
func TestQueueSizeOfAnotherUnit(t *testing.T) {
	for _, c := range []struct {
		queue map[string]any
		want  string
	}{
		{map[string]any{"queue_size": 5000}, "sending_queue::queue_size: 5000 bytes, want at least 1048576"},
		{map[string]any{"sizer": "requests"}, "sending_queue::queue_size: required with sizer requests"},
		{map[string]any{"sizer": "items", "batch": map[string]any{"flush_timeout": "5s"}}, "sending_queue::queue_size: required with sizer items"},
	} {
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, confmap.NewFromStringMap(map[string]any{"directory": "/tmp", "sending_queue": c.queue}).Unmarshal(cfg))
		assert.ErrorContains(t, confmap.Validate(cfg), c.want)
	}
}

func TestExample(t *testing.T) {
	conf, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := conf.Sub("panoptica_s3")
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	cfg.Directory = t.TempDir()
	e := start(t, cfg)
	logs := plog.NewLogs()
	put(logs, record.Record{Body: `{"a":1}`, EventType: record.Other})
	require.NoError(t, e.ConsumeLogs(t.Context(), logs))
	require.NoError(t, e.Shutdown(context.Background()))
	for name, lines := range tree(t, cfg.Directory) {
		assert.True(t, strings.HasSuffix(name, ".json.gz"))
		assert.Equal(t, []string{`{"a":1}`}, lines)
	}
}

func BenchmarkSplitAndPush(b *testing.B) {
	body := `{"alert_id":"f-1","description":"` + strings.Repeat("x", 1100) + `"}`
	var recs []record.Record
	for i := range 1000 {
		recs = append(recs, record.Record{Body: body, EventType: record.SecurityFinding, AccountID: fmt.Sprint(i % 50), TenantID: "id-1", Format: "panoptica", ID: "f-1", Time: time.Now()})
	}
	logs := plog.NewLogs()
	put(logs, recs...)
	cfg := createDefaultConfig().(*Config)
	cfg.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]() // each batch is delivered before ConsumeLogs returns
	set := exportertest.NewNopSettings(metadata.Type)
	w, err := newWriter(set, cfg)
	require.NoError(b, err)
	store := newMemoryStore()
	w.store = store
	e, err := newExporter(b.Context(), set, w)
	require.NoError(b, err)
	require.NoError(b, e.Start(b.Context(), componenttest.NewNopHost()))
	require.NoError(b, e.ConsumeLogs(b.Context(), logs))
	require.Len(b, store.folders, 50)
	b.SetBytes(int64(len(recs) * len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := e.ConsumeLogs(b.Context(), logs); err != nil {
			b.Fatal(err)
		}
	}
}

package panopticas3exporter

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/record"
)

// host has one extension.
type host struct {
	id        component.ID
	extension component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{h.id: h.extension}
}

// fileStorage starts a storage in a directory. Who uses it stops it.
func fileStorage(t *testing.T, dir string) (component.ID, extension.Extension) {
	t.Helper()
	f := filestorage.NewFactory()
	cfg := f.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = dir
	id := component.NewID(f.Type())
	ext, err := f.Create(t.Context(), extension.Settings{ID: id, TelemetrySettings: componenttest.NewNopTelemetrySettings()}, cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), nil))
	return id, ext
}

// TestPartitionsOutliveARestart: while the store is away the collector ends; after the next start the batches that come out
// of the stored queue are apart as they were.
func TestPartitionsOutliveARestart(t *testing.T) {
	const tenants, rounds = 20, 10
	dir, store := t.TempDir(), newMemoryStore()
	run := func(use func(e exporter.Logs)) {
		id, ext := fileStorage(t, dir)
		defer func() { require.NoError(t, ext.Shutdown(context.Background())) }()

		cfg := quick(t)
		cfg.QueueConfig.Get().StorageID = &id
		cfg.QueueConfig.Get().Batch.Get().FlushTimeout = 300 * time.Millisecond
		e := startWith(t, cfg, store, host{id, ext})
		use(e)
		stop(t, e)
	}

	store.set(true)
	run(func(e exporter.Logs) {
		for i := range rounds {
			logs := plog.NewLogs()
			for tenant := range tenants {
				put(logs, record.Record{Body: fmt.Sprintf(`{"n":%d}`, i), EventType: record.Other, AccountID: fmt.Sprint("tenant-", tenant), Time: time.Unix(0, 0)})
			}
			require.NoError(t, e.ConsumeLogs(t.Context(), logs))
		}
		require.Eventually(t, func() bool { store.mu.Lock(); defer store.mu.Unlock(); return store.puts > 0 }, testPatience, 10*time.Millisecond)
	})
	assert.Empty(t, store.folders, "the store was away")

	store.set(false)
	run(func(exporter.Logs) {
		require.Eventually(t, func() bool {
			store.mu.Lock()
			defer store.mu.Unlock()
			return len(store.folders) == tenants
		}, testPatience, 20*time.Millisecond)
	})
	for folder, lines := range store.folders {
		assert.Equal(t, rounds, lines, folder)
	}
}

// hangingStore answers nothing until its time is up.
type hangingStore struct{ puts atomic.Int64 }

func (h *hangingStore) Put(ctx context.Context, _ objectstore.Object) (bool, error) {
	h.puts.Add(1)
	<-ctx.Done()
	return false, &objectstore.Error{Err: ctx.Err()}
}

// TestEndWithAStoreThatHangs: hundreds of batches do not each wait for a store that does not answer.
func TestEndWithAStoreThatHangs(t *testing.T) {
	cfg := quick(t)
	cfg.TimeoutConfig.Timeout = 200 * time.Millisecond
	store := &hangingStore{}
	e := startOn(t, cfg, store)
	require.NoError(t, e.ConsumeLogs(t.Context(), accounts(0, 500, "{}")))
	time.Sleep(100 * time.Millisecond)
	began := time.Now()
	stop(t, e)
	assert.Less(t, store.puts.Load(), int64(100), "of 500, had each been tried")
	assert.GreaterOrEqual(t, store.puts.Load(), int64(4))
	t.Logf("ended after %s and %d tries for 500 partitions", time.Since(began).Round(100*time.Millisecond), store.puts.Load())
}

// slowStore takes its time, once it has any.
type slowStore struct {
	*memoryStore
	time atomic.Int64
}

func (s *slowStore) Put(ctx context.Context, o objectstore.Object) (bool, error) {
	time.Sleep(time.Duration(s.time.Load()))
	return s.memoryStore.Put(ctx, o)
}

// TestEndWhileBatchesGoIdle ends the exporter around the moment in which batches without records for ten flush_timeouts are
// put away: exporterhelper's batcher then waits for itself. It does so in a process of its own, since its goroutines stay.
func TestEndWhileBatchesGoIdle(t *testing.T) {
	const alone = "SIEMPIPE_TEST_ALONE"
	if os.Getenv(alone) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestEndWhileBatchesGoIdle$", "-test.v")
		cmd.Env = append(os.Environ(), alone+"=1")
		out, _ := cmd.CombinedOutput() // the exit status speaks of the goroutines
		assert.Contains(t, string(out), "--- PASS: TestEndWhileBatchesGoIdle")
		return
	}
	cfg := quick(t)
	cfg.QueueConfig.Get().Batch.Get().FlushTimeout = 20 * time.Millisecond
	store := &slowStore{memoryStore: newMemoryStore()}
	e := startOn(t, cfg, store)
	require.NoError(t, e.ConsumeLogs(t.Context(), accounts(0, 200, "{}")))
	require.Eventually(t, func() bool { store.mu.Lock(); defer store.mu.Unlock(); return len(store.folders) == 200 }, testPatience, time.Millisecond)
	time.Sleep(130 * time.Millisecond)
	store.time.Store(int64(300 * time.Millisecond))
	require.NoError(t, e.ConsumeLogs(t.Context(), accounts(1000, 8, "{}")))
	time.Sleep(120 * time.Millisecond) // all workers are busy, and the first 200 batches are put away
	began := time.Now()
	stop(t, e)
	t.Logf("ended after %s", time.Since(began).Round(time.Millisecond))
	assert.Len(t, store.folders, 208)
}

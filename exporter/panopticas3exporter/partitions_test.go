package panopticas3exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/exporter/panopticas3exporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/collector/exporterbase"
	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/record"
)

// memoryStore counts the lines of each folder. While it is away every put fails.
type memoryStore struct {
	mu      sync.Mutex
	away    bool
	busy    int // puts that fail before the first that does not
	folders map[string]int
	keys    map[string]bool
	puts    int
}

func newMemoryStore() *memoryStore {
	return &memoryStore{folders: map[string]int{}, keys: map[string]bool{}}
}

func (m *memoryStore) Put(_ context.Context, o objectstore.Object) (existed bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	if m.busy--; m.away || m.busy >= 0 {
		return false, &objectstore.Error{Err: errors.New("away")}
	}
	if m.keys[o.Key] {
		return true, nil
	}
	m.keys[o.Key] = true
	m.folders[o.Key[:strings.LastIndexByte(o.Key, '/')]] += bytes.Count(o.Content, []byte("\n"))
	return false, nil
}

func (m *memoryStore) set(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

type exporterUnderTest = *exporterbase.Exporter[objectstore.Partition, string]

// startOn starts the exporter on a store.
func startOn(t *testing.T, cfg *Config, store objectstore.Store) exporterUnderTest {
	t.Helper()
	return startWith(t, cfg, store, componenttest.NewNopHost())
}

func startWith(t *testing.T, cfg *Config, store objectstore.Store, host component.Host) exporterUnderTest {
	t.Helper()
	require.NoError(t, confmap.Validate(cfg))
	set := exportertest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	w, err := newWriter(set, cfg)
	require.NoError(t, err)
	w.store = store
	e, err := newExporter(t.Context(), set, w)
	require.NoError(t, err)
	e.Health.SetPatience(500 * time.Millisecond)
	require.NoError(t, e.Start(t.Context(), host))
	return e
}

// stop ends the exporter, or the test when that takes too long.
func stop(t *testing.T, e exporter.Logs) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- e.Shutdown(context.Background()) }()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(2 * testPatience):
		t.Fatal("the exporter does not end")
	}
}

// TestStoreBusyAtTheEnd: what waits in memory when the collector ends is not lost to an answer that the next try would not get.
func TestStoreBusyAtTheEnd(t *testing.T) {
	cfg := quick(t)
	cfg.QueueConfig.Get().Batch.Get().FlushTimeout = time.Hour // the end has it sent
	store := newMemoryStore()
	store.busy = 3 // of the first two objects one is stored with the second try, the other with the third
	e := startOn(t, cfg, store)
	e.Health.SetPatience(time.Hour)
	require.NoError(t, e.ConsumeLogs(t.Context(), accounts(0, 2, "{}")))
	stop(t, e)
	assert.Len(t, store.folders, 2)
	assert.Equal(t, 5, store.puts)
}

func accounts(from, n int, body string) plog.Logs {
	logs := plog.NewLogs()
	recs := make([]record.Record, n)
	for i := range recs {
		recs[i] = record.Record{Body: body, EventType: record.Other, AccountID: fmt.Sprint("account-", from+i), Time: time.Unix(0, 0)}
	}
	put(logs, recs...)
	return logs
}

// TestMorePartitionsThanTheBatcherTakes: beyond 10,000 open batches exporterhelper's batcher stands still for ever, and
// account IDs come from outside. With a partition of the batcher for each this test does not end.
func TestMorePartitionsThanTheBatcherTakes(t *testing.T) {
	const n = 25_000
	cfg := quick(t)
	cfg.QueueConfig.Get().Batch.Get().FlushTimeout = time.Minute // all of them stay open
	store := newMemoryStore()
	e := startOn(t, cfg, store)
	for from := 0; from < n; from += 1000 {
		require.NoError(t, e.ConsumeLogs(t.Context(), accounts(from, 1000, "{}")))
	}
	stop(t, e)
	require.Len(t, store.folders, n)
	for folder, lines := range store.folders {
		require.Equal(t, 1, lines, folder)
	}
}

// TestMemoryOfOpenPartitions: with 10,000 open partitions and the store away the exporter takes what queue_size says and no
// more, and memory stays within a small multiple of it. Once the store is back all of it arrives.
func TestMemoryOfOpenPartitions(t *testing.T) {
	const (
		partitions = 10_000
		queueBytes = 32 << 20
		// A record of 1 KB takes some 500 bytes of structures beside its body; batches and the lines of an object
		// in the making come on top.
		mostHeap = 2 * queueBytes
	)
	cfg := quick(t)
	queue := cfg.QueueConfig.Get()
	queue.QueueSize = queueBytes
	queue.Batch.Get().FlushTimeout = 2 * time.Second
	cfg.RetryConfig.MaxInterval = time.Second // however long it takes to fill the queue
	store := newMemoryStore()
	store.set(true)
	before := heap()
	e := startOn(t, cfg, store)

	accepted, body := 0, ""
	for refused := 0; refused < 2; { // one after the other
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		// Each record has a body of its own, as if it came over the network.
		body = fmt.Sprintf(`{"n":%d,"pad":%q}`, accepted, strings.Repeat("x", 1000))
		err := e.ConsumeLogs(ctx, accounts(accepted%partitions, 1, strings.Clone(body)))
		if refused++; err == nil {
			accepted, refused = accepted+1, 0
		}
		cancel()
	}
	used := heap() - before
	t.Logf("%d partitions, %d records of %d bytes (%d MB) accepted until the queue of %d MB blocked; heap %d MB, %d goroutines",
		partitions, accepted, len(body), accepted*len(body)>>20, queueBytes>>20, used>>20, runtime.NumGoroutine())
	assert.Greater(t, accepted, partitions, "each partition is open")
	assert.Less(t, accepted*len(body), queueBytes)
	assert.Less(t, used, int64(mostHeap))

	store.set(false)
	require.Eventually(t, func() bool {
		store.mu.Lock()
		defer store.mu.Unlock()
		lines := 0
		for _, n := range store.folders {
			lines += n
		}
		return lines == accepted
	}, 2*testPatience, 50*time.Millisecond)
	stop(t, e)
	assert.Len(t, store.folders, partitions)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// TestLargeRecord: a record far larger than a batch arrives.
func TestLargeRecord(t *testing.T) {
	cfg := quick(t)
	store := newMemoryStore()
	e := startOn(t, cfg, store)
	require.NoError(t, e.ConsumeLogs(t.Context(), accounts(0, 1, `{"pad":"`+strings.Repeat("x", 40<<20)+`"}`)))
	stop(t, e)
	assert.Len(t, store.keys, 1)

	cfg = quick(t)
	cfg.QueueConfig.Get().Batch.Get().MinSize = 16 << 20
	cfg.QueueConfig.Get().Batch.Get().MaxSize = 16 << 20
	store = newMemoryStore()
	e = startOn(t, cfg, store)
	require.NoError(t, e.ConsumeLogs(t.Context(), accounts(0, 1, `{"pad":"`+strings.Repeat("x", 40<<20)+`"}`)))
	stop(t, e)
	assert.Len(t, store.keys, 1, "with a limit of batches it goes alone")
}

// TestRecordLargerThanTheQueue: it arrives all the same, among others that do not wait for ever behind it.
func TestRecordLargerThanTheQueue(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprintf("stored=%t", stored), func(t *testing.T) {
			cfg := quick(t)
			cfg.QueueConfig.Get().QueueSize = minQueueBytes
			cfg.QueueConfig.Get().Batch.Get().MinSize = minQueueBytes
			store := newMemoryStore()
			var h component.Host = componenttest.NewNopHost()
			if stored {
				id, ext := fileStorage(t, t.TempDir())
				cfg.QueueConfig.Get().StorageID = &id
				h = host{id, ext}
				defer func() { require.NoError(t, ext.Shutdown(context.Background())) }()
			}
			e := startWith(t, cfg, store, h)
			ctx, cancel := context.WithTimeout(t.Context(), 2*testPatience)
			defer cancel()
			const n = 40
			var senders sync.WaitGroup
			for i := range n {
				senders.Go(func() {
					size := 100 << 10
					if i%4 == 0 {
						size = 2 * minQueueBytes
					}
					assert.NoError(t, e.ConsumeLogs(ctx, accounts(i, 1, fmt.Sprintf(`{"n":%d,"pad":"%s"}`, i, strings.Repeat("x", size)))))
				})
			}
			senders.Wait()
			require.Eventually(t, func() bool { store.mu.Lock(); defer store.mu.Unlock(); return len(store.folders) == n }, testPatience, time.Millisecond)
			stop(t, e) // a stored queue keeps what is not sent yet
			for folder, lines := range store.folders {
				assert.Equal(t, 1, lines, folder)
			}
		})
	}
}

// TestLargePartition: the lines of a partition that take the place of its records are what is sent again.
func TestLargePartition(t *testing.T) {
	cfg := quick(t)
	store := newMemoryStore()
	store.set(true)
	e := startOn(t, cfg, store)
	const n = 20
	want := map[string]int{"Panoptica/other/2001-09-09/a": n, "Panoptica/other/2001-09-09/b": n}
	logs := plog.NewLogs()
	for i := range n {
		at := time.Unix(1e9, 0)
		put(logs, record.Record{Body: fmt.Sprintf(`{"n":%d,"pad":"%s"}`, i, strings.Repeat("x", maxPooledLines/10)), EventType: record.Other, AccountID: "a", Time: at},
			record.Record{Body: fmt.Sprintf(`{"n":%d}`, i), EventType: record.Other, AccountID: "b", Time: at})
	}
	require.NoError(t, e.ConsumeLogs(t.Context(), logs))
	require.Eventually(t, func() bool { store.mu.Lock(); defer store.mu.Unlock(); return store.puts > 10 }, 30*time.Second, time.Millisecond)
	store.set(false)
	require.Eventually(t, func() bool { store.mu.Lock(); defer store.mu.Unlock(); return maps.Equal(store.folders, want) }, 30*time.Second, time.Millisecond)
	stop(t, e)
}

// TestLargeBatch: a batch that is larger than the whole queue goes through it in pieces.
func TestLargeBatch(t *testing.T) {
	cfg := quick(t)
	cfg.QueueConfig.Get().QueueSize = 20 << 20
	cfg.QueueConfig.Get().Batch.Get().MinSize = 4 << 20
	store := newMemoryStore()
	e := startOn(t, cfg, store)
	logs := plog.NewLogs()
	const n = 60
	for i := range n {
		body := fmt.Sprintf(`{"n":%d,"pad":"%s"}`, i, strings.Repeat("x", 1<<20))
		put(logs, record.Record{Body: body, EventType: record.Other, AccountID: "a", Time: time.Unix(1e9, 0)})
	}
	require.NoError(t, e.ConsumeLogs(t.Context(), logs))
	stop(t, e)
	assert.Equal(t, map[string]int{"Panoptica/other/2001-09-09/a": n}, store.folders)
}

// TestPartitionsThatGoIdle: many partitions that have nothing for long, while the store is slow, do not stop the others.
func TestPartitionsThatGoIdle(t *testing.T) {
	const rounds, each = 30, 200
	cfg := quick(t)
	cfg.QueueConfig.Get().Batch.Get().FlushTimeout = 5 * time.Millisecond
	store := newMemoryStore()
	e := startOn(t, cfg, store)
	ctx, cancel := context.WithTimeout(t.Context(), 2*testPatience)
	defer cancel()
	for round := range rounds {
		require.NoError(t, e.ConsumeLogs(ctx, accounts(round*each, each, `{}`)))
		time.Sleep(10 * time.Millisecond)
	}
	stop(t, e)
	assert.Len(t, store.folders, rounds*each)
}

// TestPartitionsThatDoNotFit: more partitions than the queue has room for at the size that batches are meant to have. They
// must not wait for the timer, or everything would.
func TestPartitionsThatDoNotFit(t *testing.T) {
	const (
		partitions, rounds = 500, 60
		queueBytes         = 4 << 20
	)
	cfg := quick(t)
	queue := cfg.QueueConfig.Get()
	queue.QueueSize = queueBytes
	queue.Batch.Get().FlushTimeout = time.Hour
	queue.Batch.Get().MinSize = queueBytes / 4
	store := newMemoryStore()
	e := startOn(t, cfg, store)
	pad := strings.Repeat("x", 1000)
	ctx, cancel := context.WithTimeout(t.Context(), 2*testPatience)
	defer cancel()
	for round := range rounds {
		require.NoError(t, e.ConsumeLogs(ctx, accounts(0, partitions, fmt.Sprintf(`{"round":%d,"pad":%q}`, round, pad))))
	}
	stop(t, e)
	for folder, lines := range store.folders {
		assert.Equal(t, rounds, lines, folder)
	}
	assert.Len(t, store.folders, partitions)
	t.Logf("%d MB of %d partitions through a queue of %d MB in %d objects", partitions*rounds*len(pad)>>20, partitions, queueBytes>>20, len(store.keys))
}

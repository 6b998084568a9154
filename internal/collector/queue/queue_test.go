package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
)

var (
	storageID = component.MustNewID("disk")
	typ       = component.MustNewType("test")
)

// disk is a storage extension over a map that outlives the process under test.
type disk struct {
	component.StartFunc
	component.ShutdownFunc
	mu    sync.Mutex
	items map[string][]byte
	// killAfter ends the process, as far as the disk can tell, after so many batches that change it; 0 is never.
	killAfter, batches int
	full               bool // what changes it fails
}

var errFull = errors.New("no space left on device")

func (d *disk) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return &diskClient{d}, nil
}

type diskClient struct{ *disk }

func (c *diskClient) Get(_ context.Context, key string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.items[key], nil
}
func (c *diskClient) Set(ctx context.Context, key string, value []byte) error {
	return c.Batch(ctx, storage.SetOperation(key, value))
}
func (c *diskClient) Delete(ctx context.Context, key string) error {
	return c.Batch(ctx, storage.DeleteOperation(key))
}
func (c *diskClient) Close(context.Context) error { return nil }
func (c *diskClient) Walk(context.Context, storage.WalkFunc) error {
	return errors.New("not needed here")
}

func (c *diskClient) Batch(_ context.Context, ops ...*storage.Operation) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	changes := false
	for _, op := range ops {
		changes = changes || op.Type != storage.Get
	}
	if changes {
		c.batches++
	}
	if changes && c.full {
		return errFull
	}
	dead := c.killAfter > 0 && c.batches > c.killAfter
	for _, op := range ops {
		switch {
		case op.Type == storage.Get:
			op.Value = c.items[op.Key]
		case dead:
		case op.Type == storage.Set:
			c.items[op.Key] = op.Value
		default:
			delete(c.items, op.Key)
		}
	}
	return nil
}

type host struct{ disk *disk }

func (h host) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{storageID: h.disk, component.MustNewID("other"): nil}
}

// newExporter has a persistent queue and pushes to push.
func newExporter(t *testing.T, push func(plog.Logs) error) exporter.Logs {
	t.Helper()
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.StorageID = &storageID
	set := exportertest.NewNopSettings(typ)
	set.ID = component.NewID(typ)
	e, err := exporterhelper.NewLogs(t.Context(), set, &struct{}{},
		func(_ context.Context, logs plog.Logs) error { return push(logs) },
		exporterhelper.WithQueue(configoptional.Some(queue)),
		exporterhelper.WithRetry(configretry.NewDefaultBackOffConfig()))
	require.NoError(t, err)
	return e
}

// TestKilledWhileStarting kills the second process after each of its first writes and lets a third one send what is there.
// Without Logs all items can be gone; with it none is, whenever the kill comes.
func TestKilledWhileStarting(t *testing.T) {
	const items = 3
	// A process that stored items and was sending them all when it was killed.
	first := &disk{items: map[string][]byte{}}
	var sending sync.WaitGroup
	sending.Add(items)
	never := make(chan struct{})
	e := newExporter(t, func(plog.Logs) error {
		sending.Done()
		<-never
		return nil
	})
	require.NoError(t, e.Start(t.Context(), host{first}))
	for i := range items {
		require.NoError(t, e.ConsumeLogs(t.Context(), one(fmt.Sprint(i))))
	}
	sending.Wait()
	first.mu.Lock()
	left := maps.Clone(first.items)
	first.mu.Unlock()
	close(never)
	require.NoError(t, e.Shutdown(t.Context()))

	// delivered is what arrives after a second process that was killed after so many writes, and a third.
	delivered := func(killAfter int, careful bool) map[string]int {
		second := &disk{items: maps.Clone(left), killAfter: killAfter}
		got := map[string]int{}
		var mu sync.Mutex
		for _, d := range []*disk{second, {items: second.items}} {
			e := newExporter(t, func(logs plog.Logs) error {
				if d == second {
					return errors.New("the store is away")
				}
				mu.Lock()
				defer mu.Unlock()
				for _, rl := range logs.ResourceLogs().All() {
					got[rl.ScopeLogs().At(0).LogRecords().At(0).Body().Str()]++
				}
				return nil
			})
			if careful {
				e = Logs{e}
			}
			require.NoError(t, e.Start(t.Context(), host{d}))
			if d != second {
				arrived := func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == items }
				if careful {
					assert.Eventually(t, arrived, time.Minute, time.Millisecond)
				} else {
					time.Sleep(20 * time.Millisecond) // whatever is there is sent at once
				}
			}
			require.NoError(t, e.Shutdown(t.Context()))
		}
		return got
	}
	lost := 0
	for killAfter := 1; killAfter <= 2*items+3; killAfter++ {
		assert.Len(t, delivered(killAfter, true), items, "killed after %d writes", killAfter)
		lost = max(lost, items-len(delivered(killAfter, false)))
	}
	assert.Positive(t, lost, "the queue does without this package now: remove it")
	t.Logf("without it up to %d of %d items are lost", lost, items)
}

// stored are the items on the disk.
func (d *disk) stored() (keys []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key := range d.items {
		if _, err := strconv.Atoi(key); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

func (d *disk) fill(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

func one(body string) plog.Logs {
	logs := plog.NewLogs()
	logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(body)
	return logs
}

// TestFullDisk: items that are stored are sent while nothing can be written, and gone from the disk once it can again.
// Without Logs they are lost.
func TestFullDisk(t *testing.T) {
	const items = 50
	d := &disk{items: map[string][]byte{}}
	var mu sync.Mutex
	got := map[string]int{}
	sent := func() int { mu.Lock(); defer mu.Unlock(); return len(got) }
	gate := make(chan struct{})
	e := exporter.Logs(Logs{newExporter(t, func(logs plog.Logs) error {
		<-gate
		mu.Lock()
		defer mu.Unlock()
		for _, rl := range logs.ResourceLogs().All() { // none where the queue refused an item
			got[rl.ScopeLogs().At(0).LogRecords().At(0).Body().Str()]++
		}
		return nil
	})})
	require.NoError(t, e.Start(t.Context(), host{disk: d}))
	for i := range items {
		require.NoError(t, e.ConsumeLogs(t.Context(), one(fmt.Sprint(i))))
	}
	d.fill(true)
	require.ErrorIs(t, e.ConsumeLogs(t.Context(), one("refused")), errFull)
	close(gate)
	require.Eventually(t, func() bool { return sent() == items }, time.Minute, time.Millisecond)
	d.fill(false)
	for n := 0; len(d.stored()) > 0; n++ { // each that is done takes some of the others with it
		require.Less(t, n, 10*items)
		require.NoError(t, e.ConsumeLogs(t.Context(), one(fmt.Sprint("more ", n))))
		require.Eventually(t, func() bool { return sent() == items+n+1 }, time.Minute, time.Millisecond)
	}
	require.NoError(t, e.Shutdown(t.Context()))
	for body, n := range got {
		assert.Equal(t, 1, n, body)
	}
}

// TestFullDiskAtStart: what was being sent is sent although it cannot be stored again, and is gone from the disk once something
// can be written. A kill before that leaves it for the next start.
func TestFullDiskAtStart(t *testing.T) {
	const items = 3
	d := &disk{items: map[string][]byte{}}
	never := make(chan struct{})
	var sending sync.WaitGroup
	sending.Add(items)
	e := newExporter(t, func(plog.Logs) error {
		sending.Done()
		<-never
		return nil
	})
	require.NoError(t, e.Start(t.Context(), host{disk: d}))
	for i := range items {
		require.NoError(t, e.ConsumeLogs(t.Context(), one(fmt.Sprint(i))))
	}
	sending.Wait()
	d.mu.Lock()
	killed := &disk{items: maps.Clone(d.items), full: true}
	d.mu.Unlock()
	close(never)
	require.NoError(t, e.Shutdown(t.Context()))

	var arrived sync.WaitGroup
	for range 2 { // starts with a full disk
		arrived.Add(items)
		e := Logs{newExporter(t, func(plog.Logs) error { arrived.Done(); return nil })}
		require.NoError(t, e.Start(t.Context(), host{disk: killed}))
		arrived.Wait()
		require.NoError(t, e.Shutdown(t.Context()))
		assert.Len(t, killed.stored(), items)
	}

	gate, got := make(chan struct{}), make(chan string, 10*items)
	last := Logs{newExporter(t, func(logs plog.Logs) error {
		<-gate
		got <- logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str()
		return nil
	})}
	require.NoError(t, last.Start(t.Context(), host{disk: killed}))
	killed.fill(false)
	require.NoError(t, last.ConsumeLogs(t.Context(), one("more")))
	killed.mu.Lock()
	again := &disk{items: maps.Clone(killed.items)} // killed here: all of it is on the disk, in new places
	killed.mu.Unlock()
	close(gate)
	for range items + 1 {
		<-got
	}
	require.Eventually(t, func() bool { return len(killed.stored()) == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, last.Shutdown(t.Context()))

	bodies := map[string]bool{}
	var mu sync.Mutex
	e = Logs{newExporter(t, func(logs plog.Logs) error {
		mu.Lock()
		defer mu.Unlock()
		for _, rl := range logs.ResourceLogs().All() {
			bodies[rl.ScopeLogs().At(0).LogRecords().At(0).Body().Str()] = true
		}
		return nil
	})}
	require.NoError(t, e.Start(t.Context(), host{disk: again}))
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(bodies) == items+1 }, time.Minute, time.Millisecond)
	require.NoError(t, e.Shutdown(t.Context()))
}

type reporter struct {
	component.Host
	events []*componentstatus.Event
}

func (r *reporter) Report(e *componentstatus.Event) { r.events = append(r.events, e) }

func TestStatusPassesThrough(t *testing.T) {
	r := &reporter{Host: componenttest.NewNopHost()}
	componentstatus.ReportStatus(NewHost(r), componentstatus.NewEvent(componentstatus.StatusOK))
	assert.Len(t, r.events, 1)
}

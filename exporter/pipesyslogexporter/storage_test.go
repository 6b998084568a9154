package pipesyslogexporter

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/exporter/pipesyslogexporter/internal/metadata"
)

// host has one extension.
type host struct {
	id        component.ID
	extension component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{h.id: h.extension}
}

// TestStoredQueueSurvivesAStalledPeer ends the exporter while its peer does not read: what was not sent goes out after the
// next start.
func TestStoredQueueSurvivesAStalledPeer(t *testing.T) {
	dir := t.TempDir()
	run := func(endpoint string, use func(consume func(from, n int))) {
		f := filestorage.NewFactory()
		fc := f.CreateDefaultConfig().(*filestorage.Config)
		fc.Directory = dir
		id := component.NewID(f.Type())
		ext, err := f.Create(t.Context(), extension.Settings{ID: id, TelemetrySettings: exportertest.NewNopSettings(metadata.Type).TelemetrySettings}, fc)
		require.NoError(t, err)
		require.NoError(t, ext.Start(t.Context(), nil))
		defer func() { require.NoError(t, ext.Shutdown(context.Background())) }()

		c := queued(endpoint)
		c.Timeout = 2 * time.Second
		c.QueueConfig.Get().StorageID = &id
		set := exportertest.NewNopSettings(metadata.Type)
		set.ID = component.NewID(metadata.Type)
		e, err := NewFactory().CreateLogs(t.Context(), set, c)
		require.NoError(t, err)
		require.NoError(t, e.Start(t.Context(), host{id, ext}))
		use(func(from, n int) { require.NoError(t, e.ConsumeLogs(t.Context(), scans(from, n, "hello"))) })
		began := time.Now()
		require.NoError(t, e.Shutdown(t.Context()))
		require.Less(t, time.Since(began), patience)
	}
	const batches, each = 60, 1000
	stalled := &peer{listener: listen(t, "127.0.0.1:0"), stall: make(chan struct{})}
	stalled.start(t)
	run(stalled.listener.Addr().String(), func(consume func(from, n int)) {
		for i := range batches {
			consume(i*each, each)
		}
	})
	close(stalled.stall) // it reads what its system took
	p := (&peer{listener: listen(t, "127.0.0.1:0")}).start(t)
	received := func() []string { return append(stalled.received(), p.received()...) }
	run(p.listener.Addr().String(), func(func(from, n int)) {
		require.Eventually(t, func() bool {
			seen, _ := ids(received())
			return len(seen) == batches*each
		}, patience, 50*time.Millisecond)
	})
	require.NotEmpty(t, p.received())
	_, duplicates := ids(received())
	t.Logf("%d from the store, %d duplicates", len(p.received()), duplicates)
}

// TestQueueOfTheFirstVersion: what version 0.1.0 left in its stored queue is sent after an upgrade. That version stored requests
// as exporterhelper does.
func TestQueueOfTheFirstVersion(t *testing.T) {
	const n = 50
	f := filestorage.NewFactory()
	fc := f.CreateDefaultConfig().(*filestorage.Config)
	fc.Directory = t.TempDir()
	id := component.NewID(f.Type())
	set := exportertest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	p := (&peer{listener: listen(t, "127.0.0.1:0")}).start(t)
	c := queued(p.listener.Addr().String())
	c.QueueConfig.Get().StorageID = &id
	run := func(e exporter.Logs, use func()) {
		ext, err := f.Create(t.Context(), extension.Settings{ID: id, TelemetrySettings: set.TelemetrySettings}, fc)
		require.NoError(t, err)
		require.NoError(t, ext.Start(t.Context(), nil))
		defer func() { require.NoError(t, ext.Shutdown(context.Background())) }()
		require.NoError(t, e.Start(t.Context(), host{id, ext}))
		use()
		require.NoError(t, e.Shutdown(t.Context()))
	}
	away := func(context.Context, plog.Logs) error { return errors.New("away") }
	old, err := exporterhelper.NewLogs(t.Context(), set, c, away, exporterhelper.WithRetry(c.RetryConfig), exporterhelper.WithQueue(c.QueueConfig))
	require.NoError(t, err)
	run(old, func() { require.NoError(t, old.ConsumeLogs(t.Context(), scans(0, n, "hello"))) })
	require.Empty(t, p.received())

	e, err := NewFactory().CreateLogs(t.Context(), set, c)
	require.NoError(t, err)
	run(e, func() {
		require.Eventually(t, func() bool { return len(p.received()) >= n }, patience, 20*time.Millisecond)
	})
	seen, _ := ids(p.received())
	require.Len(t, seen, n)
}

package pipesyslogexporter

import (
	"context"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension"

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

package panopticas3exporter

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/siempipe/siempipe/exporter/panopticas3exporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// watching is a host that keeps what is reported.
type watching struct {
	component.Host
	mu     sync.Mutex
	events []*componentstatus.Event
}

func (w *watching) Report(e *componentstatus.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// last is what was reported last.
func (w *watching) last() (status componentstatus.Status, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		return componentstatus.StatusNone, ""
	}
	e := w.events[len(w.events)-1]
	if e.Err() != nil {
		message = e.Err().Error()
	}
	return e.Status(), message
}

func startWatched(t *testing.T, cfg *Config) (exporter.Logs, *watching, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	set := exportertest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	e, err := NewFactory().CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	h := &watching{Host: componenttest.NewNopHost()}
	require.NoError(t, e.Start(t.Context(), h))
	return e, h, logs
}

// TestStatus: the collector's health says what is missing, says the next thing once that was mended, and is well at the end.
func TestStatus(t *testing.T) {
	server := peers.StartS3(t)
	writer := server.CreateUser(t, "writer")
	t.Setenv("AWS_ACCESS_KEY_ID", writer.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", writer.SecretKey)
	cfg := onBucket(server, "lake")
	cfg.RetryConfig.MaxInterval = 50 * time.Millisecond
	e, h, logs := startWatched(t, cfg)
	require.NoError(t, e.ConsumeLogs(t.Context(), accounts(0, 1, "{}")))
	until := func(status componentstatus.Status, text string) {
		t.Helper()
		assert.Eventually(t, func() bool {
			s, message := h.last()
			return s == status && strings.Contains(message, text)
		}, testPatience, 20*time.Millisecond)
	}
	until(componentstatus.StatusRecoverableError, "create the bucket")
	server.CreateBucket(t, "lake")
	until(componentstatus.StatusRecoverableError, "allow this identity s3:PutObject")
	require.NoError(t, server.PutPolicy("lake", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["writer"]},
		"Action":["s3:PutObject","s3:PutObjectAcl"],"Resource":["arn:aws:s3:::lake/*"]}]}`))
	until(componentstatus.StatusOK, "")
	stop(t, e)
	h.mu.Lock()
	defer h.mu.Unlock()
	assert.Len(t, h.events, 3, "each reason once, not each try")
	assert.NotEmpty(t, logs.FilterMessageSnippet("Exporting failed. Will retry").All())
	assert.Len(t, server.Objects(t, "lake"), 1)
}

// TestTestMessage: one object before the pipeline opens; how it went stands in log and status, and a store that is down or
// refuses does not keep the collector from starting.
func TestTestMessage(t *testing.T) {
	t.Run("stored in a bucket", func(t *testing.T) {
		server := peers.StartS3(t)
		server.CreateBucket(t, "lake")
		cfg := onBucket(server, "lake")
		cfg.TestMessage, cfg.Root = testOnStart, "evidence/siem"
		e, h, logs := startWatched(t, cfg)
		objects := server.Objects(t, "lake") // before anything else happens
		stop(t, e)
		require.Len(t, objects, 1)
		for key, content := range objects {
			assert.Regexp(t, `^evidence/siem/test/\d{4}-\d\d-\d\d/siempipe/\d{8}T\d{6}Z-[0-9a-f]{32}\.json$`, key)
			assert.Contains(t, string(content), `"test":true`)
			found := logs.FilterMessage("Test message stored").All()
			require.Len(t, found, 1)
			assert.Equal(t, key, found[0].ContextMap()["key"])
		}
		_, message := h.last()
		assert.Empty(t, message)
	})
	t.Run("stored in a directory", func(t *testing.T) {
		cfg := quick(t)
		cfg.TestMessage = testOnStart
		require.NoError(t, start(t, cfg).Shutdown(context.Background()))
		assert.Len(t, tree(t, cfg.Directory), 1)
	})
	refused := func(t *testing.T, cfg *Config, want string) {
		t.Helper()
		cfg.TestMessage = testOnStart
		began := time.Now()
		e, h, logs := startWatched(t, cfg)
		assert.Less(t, time.Since(began), testPatience)
		status, message := h.last()
		assert.Equal(t, componentstatus.StatusRecoverableError, status)
		assert.Contains(t, message, want)
		found := logs.FilterMessageSnippet("Test message not stored").All()
		require.Len(t, found, 1)
		assert.Contains(t, found[0].ContextMap()["error"], want)
		stop(t, e)
	}
	t.Run("no bucket", func(t *testing.T) { refused(t, onBucket(peers.StartS3(t), "lake"), "create the bucket") })
	t.Run("nobody there", func(t *testing.T) {
		cfg := onBucket(peers.StartS3(t), "lake")
		cfg.Endpoint = "http://" + peers.FreeAddress(t)
		refused(t, cfg, "connection refused")
	})
	t.Run("no answer", func(t *testing.T) {
		server := peers.StartS3(t)
		server.CreateBucket(t, "lake")
		toxi := peers.StartToxiproxy(t, server.Endpoint)
		toxi.Add(t, "timeout", "upstream", 1, map[string]any{"timeout": 0}) // takes everything and passes nothing on
		cfg := onBucket(server, "lake")
		cfg.Endpoint, cfg.TimeoutConfig.Timeout = toxi.URL, 2*time.Second
		refused(t, cfg, "did not answer in time")
	})
	t.Run("no folder", func(t *testing.T) {
		cfg := quick(t)
		cfg.Directory = filepath.Join(cfg.Directory, "file")
		require.NoError(t, os.WriteFile(cfg.Directory, nil, 0o600))
		refused(t, cfg, "a file stands where")
	})
}

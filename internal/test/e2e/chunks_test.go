package e2e

import (
	"bufio"
	"context"
	"flag"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/siempipe/siempipe/exporter/panopticas3exporter"
	"github.com/siempipe/siempipe/exporter/pipesyslogexporter"
	"github.com/siempipe/siempipe/internal/test/fluentbit"
	"github.com/siempipe/siempipe/internal/test/peers"
	"github.com/siempipe/siempipe/processor/siemprocessor"
)

var updateChunks = flag.Bool("update-chunks", false, "rewrite the goldens of testdata/fluentbit")

const chunksDir = "../../../testdata/fluentbit"

// TestCollectorMakesTheChunksGoldens holds the Collector to the goldens that the plugin is held to.
func TestCollectorMakesTheChunksGoldens(t *testing.T) {
	chunks, err := fluentbit.Chunks(chunksDir)
	require.NoError(t, err)
	for _, c := range chunks {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			got := ""
			for _, format := range fluentbit.Formats {
				got += collectChunk(t, format, c.Records)
			}
			path := filepath.Join(chunksDir, c.Name+".golden")
			if *updateChunks {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

// collectChunk runs records through the components, as one batch, and returns a part of a golden.
func collectChunk(t *testing.T, format string, records []fluentbit.Record) string {
	t.Helper()
	logs := plog.NewLogs()
	to := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, r := range records {
		lr := to.AppendEmpty()
		lr.Body().SetStr(r.Raw)
		lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(r.Received))
	}
	dir := filepath.Join(t.TempDir(), "out")
	address, messages := lineListener(t)
	store := startExporter(t, panopticas3exporter.NewFactory(), map[string]any{"directory": dir, "sending_queue": map[string]any{"enabled": false}})
	siem := startExporter(t, pipesyslogexporter.NewFactory(), map[string]any{
		"endpoint": address, "tls": map[string]any{"insecure": true}, "framing": "newline", "hostname": "host", "include_invalid": true,
		"sending_queue": map[string]any{"enabled": false},
	})
	next, err := consumer.NewLogs(func(ctx context.Context, logs plog.Logs) error {
		if err := store.ConsumeLogs(ctx, logs); err != nil {
			return err
		}
		return siem.ConsumeLogs(ctx, logs)
	})
	require.NoError(t, err)
	factory := siemprocessor.NewFactory()
	config := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"format": format}).Unmarshal(config))
	p, err := factory.CreateLogs(t.Context(), processortest.NewNopSettings(factory.Type()), config, next)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, store.Shutdown(t.Context()))
	require.NoError(t, siem.Shutdown(t.Context()))
	tree, err := fluentbit.Tree(dir)
	require.NoError(t, err)
	return fluentbit.Part(format, tree, messages(len(records)))
}

// startExporter starts an exporter with its default configuration and some settings.
func startExporter(t *testing.T, factory exporter.Factory, settings map[string]any) exporter.Logs {
	t.Helper()
	config := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(settings).Unmarshal(config))
	require.NoError(t, confmap.Validate(config))
	e, err := factory.CreateLogs(t.Context(), exportertest.NewNopSettings(factory.Type()), config)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	return e
}

// lineListener reads lines over TCP. messages waits for n of them, or for fewer until all senders have ended, and ends the
// listening.
func lineListener(t *testing.T) (address string, messages func(n int) []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	lines, open := readLines(l)
	return l.Addr().String(), func(n int) (got []string) {
		defer l.Close()
		last, err := net.Dial("tcp", l.Addr().String()) // those before it are accepted when it is
		require.NoError(t, err)
		defer last.Close()
		for deadline := time.Now().Add(arriveTimeout); len(got) < n; {
			select {
			case line := <-lines:
				got = append(got, line)
			case <-time.After(10 * time.Millisecond):
				if senders, ok := open(last.LocalAddr()); ok && senders == 1 && len(lines) == 0 {
					return got
				}
				require.True(t, time.Now().Before(deadline), "%d of %d lines, and there are senders", len(got), n)
			}
		}
		return got
	}
}

// listenOn reads lines over TCP at an address until the test ends.
func listenOn(t *testing.T, address string) <-chan string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	lines, _ := readLines(l)
	return lines
}

// readLines reads the lines of all senders. open says how many senders have not been read to their end, and whether the one with
// an address was accepted.
func readLines(l net.Listener) (read <-chan string, open func(sender net.Addr) (senders int, accepted bool)) {
	lines := make(chan string, 1<<16)
	var mu sync.Mutex
	senders, seen := 0, map[string]bool{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			senders++
			seen[c.RemoteAddr().String()] = true
			mu.Unlock()
			go func() {
				defer func() {
					c.Close() // the sender waits for it
					mu.Lock()
					senders--
					mu.Unlock()
				}()
				scanner := bufio.NewScanner(c)
				scanner.Buffer(nil, 1<<20)
				for scanner.Scan() {
					lines <- scanner.Text()
				}
			}()
		}
	}()
	return lines, func(sender net.Addr) (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		return senders, seen[sender.String()]
	}
}

// deafListener accepts connections and never reads from them.
func deafListener(t *testing.T) (address string) {
	t.Helper()
	return peers.Listen(t, "127.0.0.1:0").Addr().String()
}

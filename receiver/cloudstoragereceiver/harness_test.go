package cloudstoragereceiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/metadata"
)

// arrive is how long a test waits for records: two busy cores and a Python queue are slow.
const arrive = 2 * time.Minute

// sink is a pipeline that keeps what it takes and may refuse.
type sink struct {
	mu      sync.Mutex
	bodies  map[string]int
	attrs   map[string]map[string]any
	batches int
	refuse  func(batch int) error // called with how many were offered before
}

func newSink() *sink { return &sink{bodies: map[string]int{}, attrs: map[string]map[string]any{}} }

func (s *sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

func (s *sink) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.batches
	s.batches++
	var err error
	if s.refuse != nil {
		err = s.refuse(n)
	}
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				if err != nil { // what a pipeline does before it refuses
					lr.Body().SetStr("changed by a refusing pipeline")
					continue
				}
				s.bodies[lr.Body().Str()]++
				s.attrs[lr.Body().Str()] = lr.Attributes().AsRaw()
			}
		}
	}
	return err
}

// got is how often each record came.
func (s *sink) got() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.bodies))
	for body, n := range s.bodies {
		out[body] = n
	}
	return out
}

func (s *sink) attributes(body string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attrs[body]
}

// total counts records and distinct ones.
func (s *sink) total() (records, distinct int) {
	for _, n := range s.got() {
		records += n
		distinct++
	}
	return records, distinct
}

// waitFor waits until the sink has n distinct records.
func (s *sink) waitFor(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() bool { _, distinct := s.total(); return distinct >= n }, func() string {
		_, distinct := s.total()
		return fmt.Sprintf("%d records, want %d", distinct, n)
	})
}

func eventually(t *testing.T, done func() bool, or func() string) {
	t.Helper()
	for deadline := time.Now().Add(arrive); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(or())
		}
	}
}

var storageID = component.MustNewID("file_storage")

// host has a file storage.
type host struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h *host) GetExtensions() map[component.ID]component.Component { return h.extensions }

// running is a receiver under test.
type running struct {
	*cloudStorage
	telemetry *componenttest.Telemetry
	logs      *observer.ObservedLogs
	halt      func(kill bool)
}

// start runs a receiver with its storage in dir, none with "", until the test or halt ends it.
func start(t *testing.T, dir string, next consumer.Logs, change func(*Config)) *running {
	t.Helper()
	r, err := tryStart(t, dir, next, change)
	require.NoError(t, err)
	return r
}

func tryStart(t *testing.T, dir string, next consumer.Logs, change func(*Config)) (*running, error) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.RetryDelay = time.Second
	cfg.ProgressInterval = time.Second
	h := &host{Host: componenttest.NewNopHost(), extensions: map[component.ID]component.Component{}}
	var store extension.Extension
	if dir != "" {
		factory := filestorage.NewFactory()
		storeCfg := factory.CreateDefaultConfig().(*filestorage.Config)
		storeCfg.Directory = dir
		var err error
		store, err = factory.Create(context.Background(), extensiontest.NewNopSettings(factory.Type()), storeCfg)
		require.NoError(t, err)
		require.NoError(t, store.Start(context.Background(), h))
		h.extensions[storageID] = store
		cfg.Storage = &storageID
	}
	change(cfg)
	require.NoError(t, validate(cfg))
	if cfg.Poll.HasValue() {
		cfg.Poll.Get().Interval = 100 * time.Millisecond // less than users may say: most tests wait for a listing or two
	}
	telemetry := componenttest.NewTelemetry()
	set := receivertest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type) // the settings are those of a random one, with another storage
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	ended := false
	core, logs := observer.New(zap.InfoLevel)
	set.Logger = zap.New(core)
	if testing.Verbose() {
		set.Logger = zaptest.NewLogger(t, zaptest.WrapOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return zapcore.NewTee(c, core) })))
	}
	c, err := newCloudStorage(receiver.Settings(set), cfg, next)
	require.NoError(t, err)
	r := &running{cloudStorage: c, telemetry: telemetry, logs: logs}
	r.halt = func(kill bool) {
		if ended {
			return
		}
		ended = true
		if kill { // what was not written behind yet never will be
			c.state.mu.Lock()
			c.state.client = nil
			c.state.mu.Unlock()
		}
		require.NoError(t, c.Shutdown(context.Background()))
		if store != nil {
			require.NoError(t, store.Shutdown(context.Background()))
		}
		require.NoError(t, telemetry.Shutdown(context.Background()))
	}
	t.Cleanup(func() { r.halt(false) })
	return r, c.Start(context.Background(), h)
}

func validate(cfg *Config) error {
	errs := []error{cfg.Validate()}
	if cfg.Poll.HasValue() {
		errs = append(errs, cfg.Poll.Get().Validate())
	}
	if cfg.Notifications.SQS.HasValue() {
		errs = append(errs, cfg.Notifications.SQS.Get().Validate())
	}
	return errors.Join(errs...)
}

// counts are the values of one of the receiver's counters by an attribute.
func (r *running) counts(t *testing.T, name, attribute string) map[string]int {
	t.Helper()
	out := map[string]int{}
	m, err := r.telemetry.GetMetric("otelcol_receiver_cloud_storage_" + name)
	if err != nil {
		return out
	}
	for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
		value, _ := point.Attributes.Value("outcome")
		if attribute != "outcome" {
			value, _ = point.Attributes.Value("kind")
		}
		key := value.AsString()
		if attribute == "kind,verdict" {
			verdict, _ := point.Attributes.Value("verdict")
			key += "," + verdict.AsString()
		}
		out[key] += int(point.Value)
	}
	return out
}

func optional[T any](v T) configoptional.Optional[T] { return configoptional.Some(v) }

// lines are n records of newline-delimited JSON that a format claims, named after name.
func lines(name string, n int) (text string, records []string) {
	var b bytes.Buffer
	for i := range n {
		line := fmt.Sprintf(`{"alert_id":"%s-%d","detection_type":"security_finding"}`, name, i)
		records = append(records, line)
		b.WriteString(line + "\n")
	}
	return b.String(), records
}

func gz(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func zst(text string) string {
	w, _ := zstd.NewWriter(nil)
	defer w.Close()
	return string(w.EncodeAll([]byte(text), nil))
}

// several does something for 0 to n-1, some at once.
func several(n int, do func(i int)) {
	var workers sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}

// slowly is a pipeline that takes its time.
type slowly struct {
	*sink
	pause time.Duration
}

func (s *slowly) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.pause):
	}
	return s.sink.ConsumeLogs(ctx, logs)
}

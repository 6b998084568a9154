package perceptionpointreceiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/siempipe/siempipe/internal/test/fakes/perceptionpointapi"
	"github.com/siempipe/siempipe/receiver/perceptionpointreceiver/internal/metadata"
)

const (
	token = "0123456789abcdef-token"
	// patience is how long a test waits for what must come.
	patience = time.Minute
)

// disk is a storage extension that outlives the receiver, and copies what it is given.
type disk struct {
	component.StartFunc
	component.ShutdownFunc
	mu   sync.Mutex
	data map[string][]byte
	fail atomic.Bool
}

var diskID = component.MustNewID("disk")

func newDisk() *disk { return &disk{data: map[string][]byte{}} }

func (d *disk) GetClient(_ context.Context, _ component.Kind, id component.ID, name string) (storage.Client, error) {
	return &diskClient{disk: d, prefix: id.String() + "/" + name + "/"}, nil
}

type diskClient struct {
	*disk
	prefix string
}

func (c *diskClient) Get(ctx context.Context, key string) ([]byte, error) {
	op := storage.GetOperation(key)
	err := c.Batch(ctx, op)
	return op.Value, err
}

func (c *diskClient) Set(ctx context.Context, key string, value []byte) error {
	return c.Batch(ctx, storage.SetOperation(key, value))
}

func (c *diskClient) Delete(ctx context.Context, key string) error {
	return c.Batch(ctx, storage.DeleteOperation(key))
}

func (c *diskClient) Batch(_ context.Context, ops ...*storage.Operation) error {
	if c.fail.Load() {
		return errors.New("disk is full")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value = c.data[c.prefix+op.Key]
		case storage.Set:
			c.data[c.prefix+op.Key] = append([]byte{}, op.Value...)
		case storage.Delete:
			delete(c.data, c.prefix+op.Key)
		}
	}
	return nil
}

func (c *diskClient) Close(context.Context) error { return nil }

// host keeps the events of the status and has the disk as an extension.
type host struct {
	disk *disk
	mu   sync.Mutex
	seen []*componentstatus.Event
}

func (h *host) GetExtensions() map[component.ID]component.Component {
	if h.disk == nil {
		return nil
	}
	return map[component.ID]component.Component{diskID: h.disk}
}

func (h *host) Report(ev *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, ev)
}

// status is the last one reported.
func (h *host) status() (componentstatus.Status, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.seen) == 0 {
		return componentstatus.StatusNone, nil
	}
	last := h.seen[len(h.seen)-1]
	return last.Status(), last.Err()
}

// bench is an API, a receiver in front of it and what came out.
type bench struct {
	t      *testing.T
	api    *perceptionpointapi.API
	server *httptest.Server
	disk   *disk
	host   *host
	sink   consumertest.LogsSink
	refuse func(plog.Logs) error // asked before the sink
	logs   *observer.ObservedLogs
	change func(*Config)
	r      receiver.Logs
}

func newBench(t *testing.T, change func(*Config)) *bench {
	b := &bench{t: t, api: &perceptionpointapi.API{}, disk: newDisk(), change: change}
	b.api.SetToken(token)
	b.server = httptest.NewServer(b.api)
	t.Cleanup(b.server.Close)
	t.Cleanup(b.stop)
	return b
}

func (b *bench) config() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoint = b.server.URL
	cfg.Token = token
	cfg.Interval = 20 * time.Millisecond
	cfg.Retry = RetryConfig{InitialInterval: time.Millisecond, MaxInterval: 20 * time.Millisecond}
	cfg.Storage = &diskID
	if b.change != nil {
		b.change(cfg)
	}
	return cfg
}

func (b *bench) start() {
	b.t.Helper()
	cfg := b.config()
	require.NoError(b.t, confmap.Validate(cfg))
	set := receivertest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type) // the same after a restart
	core, logs := observer.New(zap.InfoLevel)
	set.Logger, b.logs = zap.New(core), logs
	b.host = &host{disk: b.disk}
	next, err := consumer.NewLogs(func(ctx context.Context, logs plog.Logs) error {
		if b.refuse != nil {
			if err := b.refuse(logs); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil { // as an exporter that writes at once would say
			return err
		}
		return b.sink.ConsumeLogs(ctx, logs)
	})
	require.NoError(b.t, err)
	b.r, err = NewFactory().CreateLogs(b.t.Context(), set, cfg, next)
	require.NoError(b.t, err)
	require.NoError(b.t, b.r.Start(b.t.Context(), b.host))
}

func (b *bench) stop() {
	if b.r != nil {
		assert.NoError(b.t, b.r.Shutdown(context.Background()))
		b.r = nil
	}
}

// bodies are what came out so far.
func (b *bench) bodies() (out []string) {
	for _, logs := range b.sink.AllLogs() {
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					out = append(out, lr.Body().Str())
				}
			}
		}
	}
	return out
}

// counts are how often each scan came out.
func (b *bench) counts() map[string]int {
	n := map[string]int{}
	for _, body := range b.bodies() {
		var scan struct {
			ID string `json:"full_scan_id"`
		}
		_ = json.Unmarshal([]byte(body), &scan)
		n[scan.ID]++
	}
	return n
}

// wait waits until want records came out, and a little longer for one too many.
func (b *bench) wait(want int) {
	b.t.Helper()
	b.until(func() bool { return b.sink.LogRecordCount() >= want }, "%d of %d records came out", func() []any { return []any{b.sink.LogRecordCount(), want} })
	polls := len(b.api.Requests())
	b.until(func() bool { return len(b.api.Requests()) >= polls+3 || b.quiet() }, "no further poll", nil)
	require.Equal(b.t, want, b.sink.LogRecordCount())
}

// quiet says that the receiver will not poll again.
func (b *bench) quiet() bool { return b.logged("Backfill complete; nothing") }

func (b *bench) logged(text string) bool {
	for _, entry := range b.logs.All() {
		if strings.Contains(entry.Message, text) {
			return true
		}
		for _, v := range entry.ContextMap() {
			if strings.Contains(fmt.Sprint(v), text) {
				return true
			}
		}
	}
	return false
}

func (b *bench) until(done func() bool, or string, args func() []any) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			var values []any
			if args != nil {
				values = args()
			}
			b.t.Fatalf(or+"\nlog: %v", append(values, b.logs.All())...)
		}
	}
}

// add adds n scans, one a second, the last a minute ago.
func (b *bench) add(n int) {
	from := time.Now().Add(-time.Minute - time.Duration(n)*time.Second)
	for i := range n {
		b.api.Add(perceptionpointapi.Scan(i, from.Add(time.Duration(i)*time.Second), "SUS"))
	}
}

func (b *bench) onceEach(n int) {
	b.t.Helper()
	counts := b.counts()
	assert.Len(b.t, counts, n)
	for id, c := range counts {
		assert.Equal(b.t, 1, c, id)
	}
}

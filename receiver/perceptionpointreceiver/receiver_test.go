package perceptionpointreceiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/siempipe/siempipe/internal/perceptionpointtest"
	"github.com/siempipe/siempipe/receiver/perceptionpointreceiver/internal/metadata"
)

const (
	token = "0123456789abcdef-token"
	// patience is how long a test waits for what must come.
	patience = 20 * time.Second
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
	api    *perceptionpointtest.API
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
	b := &bench{t: t, api: &perceptionpointtest.API{}, disk: newDisk(), change: change}
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
		b.api.Add(perceptionpointtest.Scan(i, from.Add(time.Duration(i)*time.Second), "SUS"))
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

func TestEachScanOnce(t *testing.T) {
	b := newBench(t, nil)
	b.add(95)
	b.start()
	b.wait(95)
	b.onceEach(95)
	b.api.Add(perceptionpointtest.Scan(95, time.Now(), "MAL"))
	b.wait(96)
	lr := b.sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	assert.Equal(t, map[string]any{"siem.format": "perception_point"}, lr.Attributes().AsRaw())
	assert.WithinDuration(t, time.Now(), lr.ObservedTimestamp().AsTime(), time.Minute)
	for _, request := range b.api.Requests() {
		assert.NotContains(t, request, token)
	}
}

// scenario is one row: what happens to an API with 95 scans, on five pages, and what must come out.
type scenario struct {
	change  func(*Config)
	prepare func(*bench) // before the start
	act     func(*bench) // after the start
	want    int          // records
	log     string       // what the log must say
	check   func(*testing.T, *bench)
}

func TestScenarios(t *testing.T) {
	fail := func(match string, times int, answer func(http.ResponseWriter)) func(*bench) {
		return func(b *bench) {
			var n atomic.Int32
			b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
				if !strings.Contains(r.URL.RawQuery, match) || int(n.Add(1)) > times {
					return false
				}
				answer(w)
				return true
			}
		}
	}
	status := func(code int, header ...string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, `{"detail":"as the test asks"}`)
		}
	}
	text := func(body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = io.WriteString(w, body) }
	}
	const second = "_cursor=20"
	scenarios := map[string]scenario{
		"page 2 fails once":          {prepare: fail(second, 1, status(500)), want: 95, log: "500"},
		"page 2 fails often":         {prepare: fail(second, 12, status(502)), want: 95, log: "502"},
		"429 with Retry-After":       {prepare: fail(second, 1, status(429, "Retry-After", "1")), want: 95, log: "429", check: waited(time.Second)},
		"503 with a date":            {prepare: fail("", 2, status(503, "Retry-After", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))), want: 95},
		"page is no JSON":            {prepare: fail(second, 2, text("<html>maintenance</html>")), want: 95, log: "no list as JSON"},
		"page is cut":                {prepare: fail(second, 2, text(`{"count":95,"results":[{"full_scan_id":"x"`)), want: 95, log: "no list as JSON"},
		"body breaks off":            {prepare: fail(second, 2, func(w http.ResponseWriter) { w.Header().Set("Content-Length", "1000"); _, _ = io.WriteString(w, "{") }), want: 95},
		"page without results":       {prepare: fail(second, 2, text(`{"count":95,"next":null}`)), want: 95, log: "no member results"},
		"next is a number":           {prepare: fail(second, 2, text(`{"results":[],"next":7}`)), want: 95},
		"page is never readable":     {prepare: fail(second, 6, text("<html>")), want: 95, log: "begins again"},
		"stored page is gone":        {prepare: fail(second, 1, status(404)), want: 95, log: "begins again"},
		"connection is cut":          {prepare: fail(second, 2, func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }), want: 95},
		"page is too long":           {change: func(c *Config) { c.MaxPageBytes = 64 << 10 }, prepare: fail(second, 2, text(`{"results":["`+strings.Repeat("x", 70<<10)+`"]}`)), want: 95, log: "max_page_bytes"},
		"next leads to another host": {prepare: fail(second, 1, text(string(perceptionpointtest.Page(1, "https://evil.example/api/v1/scans/list/?_cursor=1", nil)))), want: 95, log: "must only go to"},
		"next leads to another scheme": {prepare: func(b *bench) {
			fail(second, 1, text(string(perceptionpointtest.Page(1, strings.Replace(b.server.URL, "http:", "https:", 1)+"/x", nil))))(b)
		}, want: 95, log: "must only go to"},
		"next leads to a user": {prepare: func(b *bench) {
			fail(second, 1, text(string(perceptionpointtest.Page(1, strings.Replace(b.server.URL, "http://", "http://u:p@", 1)+"/x", nil))))(b)
		}, want: 95, log: "must only go to"},
		"redirect to another host":                 {prepare: fail(second, 5, status(302, "Location", "https://evil.example/")), want: 95, log: "must only go to"},
		"redirect on the host":                     {prepare: redirectOnce(second), want: 95},
		"redirects without end":                    {prepare: redirectAlways(second, 9), want: 95, log: "more than 5 redirects"},
		"next repeats":                             {prepare: repeatNext(second, 3), want: 95, log: "leads back"},
		"empty pages without end":                  {prepare: emptyPages(second, 250), want: 95, log: "hold no scan"},
		"list without end":                         {change: func(c *Config) { c.MaxPages = 30 }, prepare: endless(second, 60), want: -1, log: "max_pages"},
		"filters":                                  {change: func(c *Config) { c.Filters = map[string]any{"origin": []any{"email", "s3 & x"}, "organization_id": 7} }, want: 95, check: everyRequestHas("origin=email&origin=s3+%26+x", "organization_id=7")},
		"a pipeline that refuses":                  {prepare: refuseFirst(3, errors.New("queue is full")), want: 95, log: "queue is full"},
		"a pipeline that refuses forever, it says": {prepare: refuseFirst(3, consumererror.NewPermanent(errors.New("no right to write"))), want: 95, log: "no right to write"},
		"a pipeline that takes half":               {prepare: takeHalf(), want: 95},
		"a storage that is full":                   {prepare: func(b *bench) { b.disk.fail.Store(false) }, act: func(b *bench) { b.disk.fail.Store(true) }, want: 95},
		"half a surrogate pair":                    {prepare: func(b *bench) { b.api.Change(50, `Invoice 50`, `\ud83d`) }, want: 95},
		"not UTF-8":                                {prepare: func(b *bench) { b.api.Change(50, `Invoice 50`, "\xff") }, want: 95},
		"a scan that is none": {prepare: func(b *bench) {
			b.api.Add(perceptionpointtest.Record{Created: time.Now(), Body: `"x"`}, perceptionpointtest.Record{Created: time.Now(), Body: `7`})
		}, want: 97},
		"a scan without an id": {prepare: func(b *bench) {
			b.api.Add(perceptionpointtest.Record{Created: time.Now(), Body: `{"verbose_verdict":"MAL"}`})
		}, want: 96},
		"a signed link that changes":     {act: changeAt(3, `"pe_icon_link":null`, `"pe_icon_link":"https://x/?signature=1"`), want: 95, check: listedAgain},
		"members in another order":       {act: changeAt(3, `"organization_display_name":"Acme","origin":"email"`, `"origin":"email","organization_display_name":"Acme"`), want: 95, check: listedAgain},
		"scan changes from SUS to MAL":   {act: changeAt(3, `"verbose_verdict":"SUS"}`, `"verbose_verdict":"MAL"}`), want: 96, check: lastChange(3, `{"fields":["root_scan_summary"],"previous":{"Verdict":"SUS"}}`)},
		"scan changes after an hour":     {change: func(c *Config) { c.Overlap = 2 * time.Hour }, prepare: func(b *bench) { b.api.Shift(-time.Hour) }, act: changeAt(3, `"verbose_verdict":"SUS",`, `"verbose_verdict":"MAL",`), want: 96, check: lastChange(3, `{"fields":["verbose_verdict"]}`)},
		"scan changes after the overlap": {change: func(c *Config) { c.Overlap = 30 * time.Minute }, prepare: func(b *bench) { b.api.Shift(-time.Hour) }, act: changeAt(3, `"verbose_verdict":"SUS",`, `"verbose_verdict":"MAL",`), want: 95, check: listedAgain},
		"scan is released":               {act: changeAt(3, `"verbose_action":"Delivered"`, `"verbose_action":"Quarantined"`), want: 96, check: lastChange(3, `{"fields":["verbose_action"],"previous":{"Action":"Delivered"}}`)},
		"another field changes":          {act: changeAt(3, `"sub_origin":"o365"`, `"sub_origin":"gmail"`), want: 96, check: lastChange(3, `{"fields":["other"]}`)},
		"two fields change": {act: func(b *bench) {
			b.api.Change(3, `"last_action":null`, `"last_action":"release"`)
			b.api.Change(3, `"verbose_confidence":null`, `"verbose_confidence":"high"`)
		}, want: -1, check: fieldsMoved(3, "verbose_confidence", "sample.last_action")},
		"audit events": {change: func(c *Config) { c.AuditEvents.Enabled = true }, prepare: func(b *bench) {
			b.api.AddEvents(perceptionpointtest.Record{Created: time.Now(), Body: `{"id":1,"action":"login","user":"ann@acme.example"}`})
		}, want: 96, check: formatOf(`{"id":1,"action":"login"`, "perception_point_audit")},
		"only audit events":          {change: func(c *Config) { c.AuditEvents.Enabled, c.Scans.Enabled = true, false }, prepare: func(b *bench) { b.api.AddEvents(perceptionpointtest.Record{Created: time.Now(), Body: `{"id":1}`}) }, want: 1},
		"clock of the API is behind": {prepare: func(b *bench) { b.api.Now = func() time.Time { return time.Now().Add(-30 * time.Second) } }, want: 95},
		"clock of this host is ahead": {prepare: func(b *bench) {
			b.api.Now = func() time.Time { return time.Now().Add(-3 * time.Hour) }
			b.shiftScans(-3 * time.Hour)
		}, want: 95, log: "clocks"},
		"clock of this host is behind": {prepare: func(b *bench) {
			b.api.Now = func() time.Time { return time.Now().Add(50 * time.Hour) }
			b.shiftScans(50 * time.Hour)
		}, want: 95, log: "clocks"},
		"kill and restart between pages":    {act: killBetweenPages(1), want: -1, check: repeatsAtMost(20)},
		"kill and restart, again and again": {act: killBetweenPages(4), want: -1, check: repeatsAtMost(4 * 20)},
		"restart":                           {act: func(b *bench) { b.wait(95); b.stop(); b.start() }, want: 95},
		"restart without storage":           {change: func(c *Config) { c.Storage = nil }, act: func(b *bench) { b.wait(95); b.stop(); b.start() }, want: 190, log: "No storage is configured"},
		"change over a restart": {act: func(b *bench) {
			b.wait(95)
			b.stop()
			b.api.Change(7, `"verbose_verdict":"SUS"}`, `"verbose_verdict":"CLN"}`)
			b.start()
		}, want: 96, check: lastChange(7, `{"fields":["root_scan_summary"],"previous":{"Verdict":"SUS"}}`)},
		"few may be remembered": {change: func(c *Config) { c.MaxTrackedScans = 10 }, want: -1, log: "max_tracked_scans", check: atLeastOnce},
	}
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, s.change)
			b.add(95)
			if s.prepare != nil {
				s.prepare(b)
			}
			b.start()
			if s.act != nil {
				s.act(b)
			}
			if s.want >= 0 {
				b.wait(s.want)
			}
			if s.log != "" {
				b.until(func() bool { return b.logged(s.log) }, "the log does not say %q", func() []any { return []any{s.log} })
			}
			if s.check != nil {
				s.check(t, b)
			}
			b.stop()
			for _, entry := range b.logs.All() {
				assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), token, "the token is in the log")
			}
			if s.want >= 0 {
				assert.Equal(t, s.want, b.sink.LogRecordCount())
			}
		})
	}
}

func (b *bench) shiftScans(d time.Duration) {
	b.api.Shift(d)
}

// waited checks that the API was left alone for as long as it asked.
func waited(d time.Duration) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		for _, entry := range b.logs.All() {
			if wait, ok := entry.ContextMap()["wait"].(time.Duration); ok {
				assert.GreaterOrEqual(t, wait, d)
				return
			}
		}
		t.Error("no wait in the log")
	}
}

func redirectOnce(match string) func(*bench) {
	return func(b *bench) {
		b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.Contains(r.URL.RawQuery, match) || strings.Contains(r.URL.RawQuery, "moved") {
				return false
			}
			http.Redirect(w, r, r.URL.Path+"?"+r.URL.RawQuery+"&moved=1", http.StatusFound)
			return true
		}
	}
}

func redirectAlways(match string, times int) func(*bench) {
	var n atomic.Int32
	return func(b *bench) {
		b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.Contains(r.URL.RawQuery, match) || int(n.Add(1)) > times {
				return false
			}
			http.Redirect(w, r, r.URL.Path+"?"+r.URL.RawQuery+"&x=1", http.StatusFound)
			return true
		}
	}
}

func repeatNext(match string, times int) func(*bench) {
	var n atomic.Int32
	return func(b *bench) {
		b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.Contains(r.URL.RawQuery, match) || int(n.Add(1)) > times {
				return false
			}
			_, _ = w.Write(perceptionpointtest.Page(95, "http://"+r.Host+r.URL.RequestURI(), nil))
			return true
		}
	}
}

func emptyPages(match string, times int) func(*bench) {
	var n atomic.Int32
	return func(b *bench) {
		b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.Contains(r.URL.RawQuery, match) {
				return false
			}
			k := int(n.Add(1))
			if k > times {
				return false
			}
			_, _ = w.Write(perceptionpointtest.Page(95, fmt.Sprintf("http://%s%s&k=%d", r.Host, r.URL.RequestURI(), k), nil))
			return true
		}
	}
}

// endless makes up pages with new scans.
func endless(match string, times int) func(*bench) {
	var n atomic.Int32
	return func(b *bench) {
		b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.Contains(r.URL.RawQuery, match) {
				return false
			}
			k := int(n.Add(1))
			if k > times {
				return false
			}
			_, _ = w.Write(perceptionpointtest.Page(95, fmt.Sprintf("http://%s%s&k=%d", r.Host, r.URL.RequestURI(), k),
				[]perceptionpointtest.Record{perceptionpointtest.Scan(1000+k, time.Now(), "CLN")}))
			return true
		}
	}
}

func refuseFirst(times int, err error) func(*bench) {
	return func(b *bench) {
		var n atomic.Int32
		b.refuse = func(plog.Logs) error {
			if int(n.Add(1)) <= times {
				return err
			}
			return nil
		}
	}
}

// takeHalf takes the first half of the first batch and refuses the rest.
func takeHalf() func(*bench) {
	return func(b *bench) {
		var once atomic.Bool
		b.refuse = func(logs plog.Logs) error {
			if once.Swap(true) {
				return nil
			}
			rest := plog.NewLogs()
			logs.CopyTo(rest)
			n := 0
			cut := func(first bool) func(plog.LogRecord) bool {
				n = 0
				return func(plog.LogRecord) bool { n++; return (n <= 10) == first }
			}
			rest.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().RemoveIf(cut(true))
			taken := plog.NewLogs()
			logs.CopyTo(taken)
			taken.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().RemoveIf(cut(false))
			_ = b.sink.ConsumeLogs(context.Background(), taken)
			return consumererror.NewLogs(errors.New("half of it"), rest)
		}
	}
}

func everyRequestHas(parts ...string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		for _, request := range b.api.Requests() {
			for _, part := range parts {
				assert.Contains(t, request, part)
			}
		}
	}
}

// changeAt changes a scan when all have come out.
func changeAt(i int, old, new string) func(*bench) {
	return func(b *bench) {
		b.wait(95)
		b.api.Change(i, old, new)
	}
}

// listedAgain waits until the changed scan was listed for sure.
func listedAgain(_ *testing.T, b *bench) {
	n := len(b.api.Requests())
	b.until(func() bool { return len(b.api.Requests()) > n+12 }, "no further poll", nil)
}

func changeOf(t *testing.T, body string) string {
	var scan struct {
		Change json.RawMessage `json:"change"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &scan))
	return string(scan.Change)
}

func lastChange(i int, want string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		bodies := b.bodies()
		last := bodies[len(bodies)-1]
		assert.Contains(t, last, perceptionpointtest.ScanID(i))
		assert.JSONEq(t, want, changeOf(t, last))
		for _, body := range bodies[:len(bodies)-1] {
			assert.NotContains(t, body, `"change"`)
		}
	}
}

// fieldsMoved checks the fields of all changes of a scan together: they may be seen one after the other.
func fieldsMoved(i int, want ...string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		b.until(func() bool {
			all := ""
			for _, body := range b.bodies() {
				if strings.Contains(body, perceptionpointtest.ScanID(i)) {
					all += changeOf(t, body)
				}
			}
			if all == "" && b.counts()[perceptionpointtest.ScanID(i)] > 0 { // it changed before it was first listed
				return strings.Contains(strings.Join(b.bodies(), ""), `"last_action":"release"`)
			}
			for _, field := range want {
				if !strings.Contains(all, `"`+field+`"`) {
					return false
				}
			}
			return true
		}, "not all of %v moved", func() []any { return []any{want} })
	}
}

func formatOf(part, want string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		for _, logs := range b.sink.AllLogs() {
			lr := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			if strings.Contains(lr.Body().Str(), part) {
				format, _ := lr.Attributes().Get("siem.format")
				assert.Equal(t, want, format.Str())
				return
			}
		}
		t.Errorf("no record with %s", part)
	}
}

// killBetweenPages lets the receiver go in the middle of a list, with only what is on the disk left, and starts another.
func killBetweenPages(times int) func(*bench) {
	return func(b *bench) {
		for k := range times {
			b.until(func() bool { return b.sink.LogRecordCount() >= 20*(k+1) }, "no page came", nil)
			b.stop()
			b.start()
		}
		b.until(func() bool { return len(b.counts()) == 95 }, "not all came", nil)
	}
}

func repeatsAtMost(n int) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		atLeastOnce(t, b)
		assert.LessOrEqual(t, b.sink.LogRecordCount(), 95+n)
	}
}

func atLeastOnce(t *testing.T, b *bench) {
	b.until(func() bool { return len(b.counts()) == 95 }, "%d of 95 scans came", func() []any { return []any{len(b.counts())} })
}

// A crash between the pipeline's yes and the storage repeats the open page, and no other.
func TestCrashRepeatsTheOpenPage(t *testing.T) {
	b := newBench(t, nil)
	b.add(95)
	var n atomic.Int32
	b.refuse = func(plog.Logs) error {
		if n.Add(1) == 3 { // the third page: taken, and from now on nothing is written
			b.disk.fail.Store(true)
		}
		return nil
	}
	b.start()
	b.until(func() bool { return b.sink.LogRecordCount() >= 60 }, "no third page", nil)
	b.stop()
	came := b.sink.LogRecordCount()
	b.disk.fail.Store(false)
	b.start()
	b.until(func() bool { return len(b.counts()) == 95 }, "not all came", nil)
	b.wait(95 + came - 40)
}

// A page that the pipeline has in its hands when the receiver stops is taken, and does not come again.
func TestStopFinishesThePage(t *testing.T) {
	b := newBench(t, nil)
	b.add(95)
	b.refuse = func(plog.Logs) error { time.Sleep(50 * time.Millisecond); return nil }
	for range 4 {
		b.start()
		time.Sleep(70 * time.Millisecond)
		b.stop()
	}
	b.start()
	b.wait(95)
	b.onceEach(95)
}

func TestTokenRevoked(t *testing.T) {
	t.Run("configured", func(t *testing.T) {
		b := newBench(t, nil)
		b.add(5)
		b.start()
		b.wait(5)
		b.api.SetToken("another-token-000000")
		b.until(func() bool { s, _ := b.host.status(); return s == componentstatus.StatusPermanentError }, "no permanent status", nil)
		_, err := b.host.status()
		assert.ErrorContains(t, err, "401")
		assert.ErrorContains(t, err, "make a new token")
		n := len(b.api.Requests())
		time.Sleep(100 * time.Millisecond)
		assert.Len(t, b.api.Requests(), n, "a refused token is not sent again and again")
	})
	t.Run("file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "token")
		require.NoError(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
		b := newBench(t, func(c *Config) { c.Token, c.TokenFile = "", file })
		b.add(5)
		b.start()
		b.wait(5)
		b.api.SetToken("another-token-000000")
		b.until(func() bool { s, _ := b.host.status(); return s == componentstatus.StatusRecoverableError }, "no status", nil)
		b.api.Add(perceptionpointtest.Scan(5, time.Now(), "CLN"))
		require.NoError(t, os.WriteFile(file, []byte("another-token-000000"), 0o600))
		b.wait(6)
		b.until(func() bool { s, _ := b.host.status(); return s == componentstatus.StatusOK }, "status stays bad", nil)
	})
	t.Run("file comes late", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "token")
		b := newBench(t, func(c *Config) { c.Token, c.TokenFile = "", file })
		b.add(5)
		b.start()
		b.until(func() bool { return b.logged("token_file") }, "nothing in the log", nil)
		require.NoError(t, os.WriteFile(file, []byte(token), 0o600))
		b.wait(5)
	})
	t.Run("one stream of two", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.AuditEvents.Enabled = true })
		b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.URL.Path == perceptionpointtest.AuditPath {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		}
		b.add(5)
		b.start()
		b.wait(5)
		_, err := b.host.status()
		assert.ErrorContains(t, err, "audit_events")
	})
}

func TestBackfill(t *testing.T) {
	start := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	end := start.Add(72 * time.Hour)
	b := newBench(t, func(c *Config) { c.StartTime, c.EndTime = start, end })
	for i := range 300 { // one every quarter of an hour: 75 hours
		b.api.Add(perceptionpointtest.Scan(i, start.Add(time.Duration(i)*15*time.Minute), "CLN"))
	}
	b.start()
	b.until(func() bool { return b.logged("Backfill complete; nothing is left") }, "not complete", nil)
	want := 72*4 + 1 // start and end are included
	assert.Equal(t, want, b.sink.LogRecordCount())
	b.onceEach(want)
	b.stop()
	b.start()
	b.until(func() bool { return b.logged("Backfill complete") }, "not complete", nil)
	assert.Equal(t, want, b.sink.LogRecordCount(), "done is done, also after a restart")
}

func TestBackfillGoesOnLive(t *testing.T) {
	start := time.Now().Add(-30 * 24 * time.Hour)
	b := newBench(t, func(c *Config) { c.StartTime = start })
	b.add(30)
	b.api.Add(perceptionpointtest.Scan(30, start.Add(time.Hour), "CLN"))
	b.start()
	b.wait(31)
	assert.True(t, b.logged("Backfill complete; going on"))
	assert.Less(t, len(b.api.Requests()), 400, "windows grow where there is nothing")
	b.api.Add(perceptionpointtest.Scan(31, time.Now(), "CLN"))
	b.wait(32)
}

// The stored place must not lie in the future for good, whatever clock put it there.
func TestPlaceInTheFuture(t *testing.T) {
	b := newBench(t, nil)
	var ahead atomic.Int64
	ahead.Store(int64(10 * 365 * 24 * time.Hour))
	b.api.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	b.add(5)
	b.start()
	b.until(func() bool { return len(b.api.Requests()) > 5 }, "no poll", nil)
	ahead.Store(0)
	b.wait(5)
	assert.True(t, b.logged("ahead of the clock"))
}

func TestMissingStorage(t *testing.T) {
	b := newBench(t, func(c *Config) { id := component.MustNewID("nowhere"); c.Storage = &id })
	r, err := NewFactory().CreateLogs(t.Context(), receivertest.NewNopSettings(metadata.Type), b.config(), consumertest.NewNop())
	require.NoError(t, err)
	assert.ErrorContains(t, r.Start(t.Context(), componenttest.NewNopHost()), "extension nowhere is not configured")
	assert.NoError(t, r.Shutdown(context.Background()))
}

func TestStoredStateIsBroken(t *testing.T) {
	b := newBench(t, nil)
	b.add(5)
	b.start()
	b.wait(5)
	b.stop()
	for key := range b.disk.data {
		if strings.HasSuffix(key, stateKey) {
			b.disk.data[key] = []byte("{torn")
		}
	}
	set := receivertest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	r, err := NewFactory().CreateLogs(t.Context(), set, b.config(), consumertest.NewNop())
	require.NoError(t, err)
	assert.ErrorContains(t, r.Start(t.Context(), b.host), "stored state")
	assert.NoError(t, r.Shutdown(context.Background()))
}

// Blocks that are lost are told, and their scans come out again.
func TestStoredBlocksAreLost(t *testing.T) {
	b := newBench(t, nil)
	b.add(5)
	b.start()
	b.wait(5)
	b.stop()
	for key := range b.disk.data {
		if strings.Contains(key, "/seen/") {
			b.disk.data[key] = b.disk.data[key][:20]
		}
	}
	b.start()
	b.wait(10)
	assert.True(t, b.logged("may come out again"))
}

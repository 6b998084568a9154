package perceptionpointreceiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/siempipe/siempipe/internal/test/fakes/perceptionpointapi"
	"github.com/siempipe/siempipe/receiver/perceptionpointreceiver/internal/metadata"
)

func TestEachScanOnce(t *testing.T) {
	b := newBench(t, nil)
	b.add(95)
	b.start()
	b.wait(95)
	b.onceEach(95)
	b.api.Add(perceptionpointapi.Scan(95, time.Now(), "MAL"))
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
	text500 := func(body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { http.Error(w, "refused: "+body+".", 500) }
	}
	const second = "_cursor=20"
	scenarios := map[string]scenario{
		"page 2 fails once":          {prepare: fail(second, 1, status(500)), want: 95, log: "500"},
		"an error repeats the token": {prepare: fail(second, 1, text500(token)), want: 95, log: "<token>"},
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
		"next leads to another host": {prepare: fail(second, 1, text(string(perceptionpointapi.Page(1, "https://evil.example/api/v1/scans/list/?_cursor=1", nil)))), want: 95, log: "must only go to"},
		"next leads to another scheme": {prepare: func(b *bench) {
			fail(second, 1, text(string(perceptionpointapi.Page(1, strings.Replace(b.server.URL, "http:", "https:", 1)+"/x", nil))))(b)
		}, want: 95, log: "must only go to"},
		"next leads to a user": {prepare: func(b *bench) {
			fail(second, 1, text(string(perceptionpointapi.Page(1, strings.Replace(b.server.URL, "http://", "http://u:p@", 1)+"/x", nil))))(b)
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
			b.api.Add(perceptionpointapi.Record{Created: time.Now(), Body: `"x"`}, perceptionpointapi.Record{Created: time.Now(), Body: `7`})
		}, want: 97},
		"a scan without an id": {prepare: func(b *bench) {
			b.api.Add(perceptionpointapi.Record{Created: time.Now(), Body: `{"verbose_verdict":"MAL"}`})
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
			b.api.AddEvents(perceptionpointapi.Record{Created: time.Now(), Body: `{"id":1,"action":"login","user":"ann@acme.example"}`})
		}, want: 96, check: formatOf(`{"id":1,"action":"login"`, "perception_point_audit")},
		"only audit events":          {change: func(c *Config) { c.AuditEvents.Enabled, c.Scans.Enabled = true, false }, prepare: func(b *bench) { b.api.AddEvents(perceptionpointapi.Record{Created: time.Now(), Body: `{"id":1}`}) }, want: 1},
		"clock of the API is behind": {prepare: func(b *bench) { b.api.Now = func() time.Time { return time.Now().Add(-30 * time.Second) } }, want: 95},
		"clock of this host is ahead": {prepare: func(b *bench) {
			b.api.Now = func() time.Time { return time.Now().Add(-3 * time.Hour) }
			b.shiftScans(-3 * time.Hour)
		}, want: 95, log: "clocks"},
		"clock of this host is behind": {prepare: func(b *bench) {
			b.api.Now = func() time.Time { return time.Now().Add(50 * time.Hour) }
			b.shiftScans(50 * time.Hour)
		}, act: func(b *bench) { b.wait(95); b.stop(); b.start() }, want: 95, log: "clocks", check: neverLogged("ahead of the clock")},
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
		b.api.Add(perceptionpointapi.Scan(5, time.Now(), "CLN"))
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
			if r.URL.Path == perceptionpointapi.AuditPath {
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
		b.api.Add(perceptionpointapi.Scan(i, start.Add(time.Duration(i)*15*time.Minute), "CLN"))
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
	b.api.Add(perceptionpointapi.Scan(30, start.Add(time.Hour), "CLN"))
	b.start()
	b.wait(31)
	assert.True(t, b.logged("Backfill complete; going on"))
	assert.Less(t, len(b.api.Requests()), 400, "windows grow where there is nothing")
	b.api.Add(perceptionpointapi.Scan(31, time.Now(), "CLN"))
	b.wait(32)
}

// A window that grew over empty months does not swallow the busy days behind them.
func TestWindowShrinks(t *testing.T) {
	start := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	busy := start.Add(61 * 24 * time.Hour)
	b := newBench(t, func(c *Config) { c.StartTime, c.EndTime, c.MaxPages = start, busy.Add(24*time.Hour), 4 })
	for i := range 24 * 60 {
		b.api.Add(perceptionpointapi.Scan(i, busy.Add(time.Duration(i)*time.Minute), "CLN"))
	}
	b.start()
	b.until(func() bool { return b.logged("Backfill complete") || b.logged("max_pages") }, "not complete", nil)
	assert.False(t, b.logged("max_pages"))
	b.onceEach(24 * 60)
	assert.Less(t, len(b.api.Requests()), 200)
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

// A clock that was never set moves nothing.
func TestClockNotSet(t *testing.T) {
	b := newBench(t, nil)
	var set atomic.Bool
	b.api.Now = func() time.Time {
		if !set.Load() {
			return time.Unix(1000, 0)
		}
		return time.Now()
	}
	b.add(5)
	b.start()
	b.until(func() bool { return b.logged("the clock says 1970") }, "nothing is said", nil)
	time.Sleep(50 * time.Millisecond)
	assert.Zero(t, b.sink.LogRecordCount())
	set.Store(true)
	b.wait(5)
	b.onceEach(5)
}

func TestMissingStorage(t *testing.T) {
	b := newBench(t, func(c *Config) { id := component.MustNewID("nowhere"); c.Storage = &id })
	r, err := NewFactory().CreateLogs(t.Context(), receivertest.NewNopSettings(metadata.Type), b.config(), consumertest.NewNop())
	require.NoError(t, err)
	assert.ErrorContains(t, r.Start(t.Context(), componenttest.NewNopHost()), "there is no extension nowhere")
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

package perceptionpointreceiver

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/siempipe/siempipe/internal/test/fakes/perceptionpointapi"
)

// TestTokenStaysAtTheAPI: whatever the API says, no request reaches another server.
func TestTokenStaysAtTheAPI(t *testing.T) {
	var stolen atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	port := thief.URL[strings.LastIndexByte(thief.URL, ':'):]
	for name, next := range map[string]string{
		"another port":            thief.URL + "/x",
		"another name":            "http://localhost" + port + "/x",
		"without a scheme":        "//127.0.0.1" + port + "/x",
		"backslashes":             `http:\\127.0.0.1` + port + `\x`,
		"user that looks like it": "http://127.0.0.1:1@127.0.0.1" + port + "/x",
		"blank before":            " " + thief.URL,
		"line end":                "http://127.0.0.1" + port + "/\r\nX: y",
		"another scheme":          "file:///etc/passwd",
	} {
		for _, way := range []string{"next", "redirect"} {
			t.Run(way+" "+name, func(t *testing.T) {
				b := newBench(t, nil)
				b.add(25)
				var n atomic.Int32
				b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
					if !strings.Contains(r.URL.RawQuery, "_cursor=20") || n.Add(1) > 5 {
						return false
					}
					if way == "redirect" {
						w.Header()["Location"] = []string{next}
						w.WriteHeader(http.StatusTemporaryRedirect)
						return true
					}
					_, _ = w.Write(perceptionpointapi.Page(25, next, nil))
					return true
				}
				b.start()
				b.wait(25)
				assert.Zero(t, stolen.Load())
			})
		}
	}
}

func TestRelativeNext(t *testing.T) {
	base, _ := url.Parse("https://api.example")
	c := newClient(http.DefaultClient, base, tokenSource{}, 1)
	for next, want := range map[string]string{
		"/api/v1/scans/list/?_cursor=2023-06-07T06%3A06%3A23.977221":                        "https://api.example/api/v1/scans/list/?_cursor=2023-06-07T06%3A06%3A23.977221",
		"https://API.example:443/api/v1/scans/list/?_cursor=2023-06-07T06%3A06%3A23.977221": "https://API.example:443/api/v1/scans/list/?_cursor=2023-06-07T06%3A06%3A23.977221",
		"?x=1":                        "https://api.example?x=1",
		"http://api.example/x":        "",
		"https://api.example:8443/x":  "",
		"https://api.example.evil/x":  "",
		"https://u@api.example/x":     "",
		"https://api.example%2f@evil": "",
	} {
		got, err := c.next(next)
		assert.Equal(t, want, got, next)
		assert.Equal(t, want == "", err != nil, next)
	}
}

func TestTLS(t *testing.T) {
	b := newBench(t, nil)
	b.server.Close()
	b.server = httptest.NewTLSServer(b.api)
	b.server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail
	t.Cleanup(b.server.Close)
	b.add(5)
	b.start()
	b.until(func() bool { return b.logged("certificate") }, "a certificate of nobody is taken", nil)
	s, _ := b.host.status()
	assert.Equal(t, componentstatus.StatusRecoverableError, s)
	assert.Empty(t, b.api.Requests(), "the token was sent")
	b.stop()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.server.Certificate().Raw})
	b.change = func(c *Config) { c.TLS.CAPem = configopaque.String(ca) }
	b.start()
	b.wait(5)
}

func TestStalledBody(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Timeout = 100 * time.Millisecond })
	b.add(25)
	var n atomic.Int32
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if n.Add(1) != 2 {
			return false
		}
		_, _ = io.WriteString(w, `{"results":[`)
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-release:
		}
		return true
	}
	b.start()
	b.wait(25)
}

// A body that never ends is read up to its bound.
func TestEndlessBody(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxPageBytes = 1 << 20 })
	b.add(25)
	var written atomic.Int64
	b.api.Fault = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n != 2 {
			return false
		}
		chunk := bytes.Repeat([]byte(" "), 64<<10)
		for r.Context().Err() == nil {
			k, err := w.Write(chunk)
			written.Add(int64(k))
			if err != nil {
				return true
			}
		}
		return true
	}
	b.start()
	b.wait(25)
	assert.True(t, b.logged("max_page_bytes"))
	assert.Less(t, written.Load(), int64(512<<20)) // what both systems take in on the way may be tens of megabytes
}

func TestRetryAfter(t *testing.T) {
	date := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "1.5": 0, "999999999": maxRetryAfter, "99999999999999999999": 0,
		date.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		date.Add(-time.Second).Format(http.TimeFormat):     0,
		date.AddDate(50, 0, 0).Format(http.TimeFormat):     maxRetryAfter,
	} {
		resp := &http.Response{Header: http.Header{"Retry-After": {value}, "Date": {date.Format(http.TimeFormat)}}}
		assert.Equal(t, want, retryAfter(resp), value)
	}
}

func TestWaitAtLeast(t *testing.T) {
	b := RetryConfig{InitialInterval: time.Second, MaxInterval: 10 * time.Second}.backoff()
	assert.LessOrEqual(t, waitAtLeast(0, &b), time.Second)
	assert.GreaterOrEqual(t, waitAtLeast(time.Minute, &b), time.Minute)
}

// TestRecheckInterval: in between only the last two minutes are listed.
func TestRecheckInterval(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Overlap, c.RecheckInterval, c.InitialLookback = 10*time.Hour, time.Hour, time.Hour })
	b.add(5)
	b.start()
	b.wait(5)
	n := len(b.api.Requests()) + 15 // eleven windows of an hour, and the rest of the first poll
	b.until(func() bool { return len(b.api.Requests()) > n+5 }, "no poll", nil)
	span := func(request string) (start, end int64) {
		u, err := url.Parse(request)
		require.NoError(t, err)
		_, err = fmt.Sscan(u.Query().Get("start")+" "+u.Query().Get("end"), &start, &end)
		require.NoError(t, err)
		return start, end
	}
	for _, request := range b.api.Requests()[n:] {
		start, end := span(request)
		assert.GreaterOrEqual(t, end-start, int64(117), request)
		assert.Less(t, end-start, int64(600), request) // of eleven hours; the test may be paused between two polls
	}
	start, _ := span(b.api.Requests()[1])
	assert.InDelta(t, time.Now().Add(-11*time.Hour).Unix(), start, 600, "all of the overlap before the place")
}

func TestReadEnvelope(t *testing.T) {
	tests := map[string]struct {
		body, next string
		hasMore    bool
		results    int
		err        string
	}{
		"page":              {body: `{"count":2,"page_result_count":2,"next":"https://x/","has_more":true,"results":[{"id":1},{"id":2}]}`, next: "https://x/", hasMore: true, results: 2},
		"results first":     {body: `{"results":[1,"x",null,[]],"next":null}`, hasMore: true, results: 4},
		"no more":           {body: `{"results":[],"next":"https://x/","has_more":false}`, next: "https://x/"},
		"nulls":             {body: `{"results":null,"next":null,"has_more":null}`, hasMore: true},
		"broken inside":     {body: "{\"results\":[{\"id\":\"\\ud800\xff\"}]}", hasMore: true, results: 1},
		"empty":             {body: ``, err: "EOF"},
		"array":             {body: `[]`, err: "[ where { is due"},
		"cut":               {body: `{"results":[{"id":1}`, err: "EOF"},
		"results object":    {body: `{"results":{}}`, err: "results is no list"},
		"results twice":     {body: `{"results":[],"results":[]}`, err: "results stands twice"},
		"next is a number":  {body: `{"results":[],"next":7}`, err: "cannot unmarshal"},
		"text behind":       {body: `{"results":[]} x`, err: "text after the page"},
		"too many records":  {body: `{"results":[` + strings.Repeat("1,", maxPageRecords) + `1]}`, err: "more than 100000 records"},
		"deep":              {body: strings.Repeat(`{"a":`, 20_000), err: "exceeded max depth"},
		"names as they are": {body: `{"Results":[1],"results":[]}`, hasMore: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := readEnvelope([]byte(test.body))
			if test.err != "" {
				assert.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.next, e.next)
			assert.Equal(t, test.hasMore, e.hasMore)
			assert.Len(t, e.results, test.results)
			assert.True(t, e.isList)
		})
	}
}

func BenchmarkReadEnvelope(b *testing.B) {
	records := make([]perceptionpointapi.Record, 20)
	for i := range records {
		records[i] = perceptionpointapi.Scan(i, time.Unix(1700000000, 0), "SUS")
	}
	body := perceptionpointapi.Page(20, "https://api.example/?_cursor=20", records)
	if e, err := readEnvelope(body); err != nil || len(e.results) != 20 || string(e.results[19]) != records[19].Body {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = readEnvelope(body)
	}
}

// FuzzPage: no page breaks the reader, and no next leads away.
func FuzzPage(f *testing.F) {
	f.Add([]byte(perceptionpointapi.Page(2, "https://api.example/x?_cursor=1", []perceptionpointapi.Record{{Body: `{"id":1}`}})))
	f.Add([]byte(`{"results":null,"next":"//evil"}`))
	f.Add([]byte(`{"results":[1,"\ud800",null],"next":"https://api.example@evil/","has_more":true}`))
	base, _ := url.Parse("https://api.example")
	c := newClient(http.DefaultClient, base, tokenSource{}, 1<<16)
	f.Fuzz(func(t *testing.T, body []byte) {
		var p page
		err := c.read(&http.Response{Body: io.NopCloser(bytes.NewReader(body)), Header: http.Header{}}, &p)
		if err != nil {
			return
		}
		if p.next == "" {
			return
		}
		u, err := url.Parse(p.next)
		if err != nil || !strings.EqualFold(u.Hostname(), "api.example") || !strings.EqualFold(u.Scheme, "https") || u.User != nil {
			t.Fatalf("%q leads to %q: %v", body, p.next, err)
		}
		if _, err := http.NewRequest(http.MethodGet, p.next, nil); err != nil {
			t.Fatalf("%q: %v", p.next, err)
		}
	})
}

package findingsreceiver

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/measure"
	"github.com/siempipe/siempipe/processor/siemprocessor"
	"github.com/siempipe/siempipe/receiver/findingsreceiver/internal/metadata"
)

const (
	a = `{"alert_id":"a","detection_type":"other"}`
	b = `{"alert_id":"b","detection_type":"other"}`
)

// start runs a receiver on a free port and returns the address of its path.
func start(t *testing.T, change func(*Config), next consumer.Logs) string {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.NetAddr.Endpoint = freeAddress(t)
	if change != nil {
		change(cfg)
	}
	require.NoError(t, confmap.Validate(cfg))
	r, err := NewFactory().CreateLogs(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, next)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, r.Shutdown(context.Background())) })
	return "http://" + cfg.NetAddr.Endpoint + cfg.Path
}

func freeAddress(t *testing.T) string {
	address, err := harness.FreeAddress()
	require.NoError(t, err)
	return address
}

// post sends a body and returns the status and the answer.
func post(t *testing.T, url string, body io.Reader, header ...string) (int, answer, http.Header) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, body)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var got answer
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		require.NoError(t, json.Unmarshal(text, &got), string(text))
	}
	return resp.StatusCode, got, resp.Header
}

func records(sink *consumertest.LogsSink) (out []plog.LogRecord) {
	for _, logs := range sink.AllLogs() {
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					out = append(out, lr)
				}
			}
		}
	}
	return out
}

func bodies(sink *consumertest.LogsSink) (out []string) {
	for _, lr := range records(sink) {
		if eventType, ok := lr.Attributes().Get(record.AttrEventType); ok && eventType.Str() == record.Scan {
			continue // an event, see TestScanEnds
		}
		out = append(out, lr.Body().Str())
	}
	return out
}

// TestScanEnds: the end of a scan envelope is an event behind its records, and no record of the sender's.
func TestScanEnds(t *testing.T) {
	for in, c := range map[string]struct {
		accepted     int
		body, status any
	}{
		`{"scan_id":"s","status":"completed","findings":[` + a + `],"attack_paths":[` + b + `]}`: {2, `{"scan_id":"s","status":"completed"}`, "completed"},
		`{"scan_id":"s","findings":[` + a + `],"status":"failed"}`:                               {1, `{"scan_id":"s","status":"failed"}`, "failed"},
		`{"scan_id":7,"status":"completed","findings":[]}`:                                       {0, `{"scan_id":"7","status":"completed"}`, "completed"},
		`{"scan_id":"s\"","findings":[` + a + `]}`:                                               {1, `{"scan_id":"s\""}`, nil},
	} {
		sink := new(consumertest.LogsSink)
		code, got, _ := post(t, start(t, nil, sink), strings.NewReader(in), "Content-Type", "application/json")
		assert.Equal(t, http.StatusOK, code)
		assert.Equal(t, c.accepted, got.Accepted, in)
		all := records(sink)
		if assert.Len(t, all, c.accepted+1, in) {
			last := all[len(all)-1]
			assert.Equal(t, c.body, last.Body().Str())
			assert.Equal(t, "scan", last.Attributes().AsRaw()[record.AttrEventType])
			assert.Equal(t, c.status, last.Attributes().AsRaw()[record.AttrScanStatus])
		}
	}
	for _, in := range []string{ // that break off
		`{"scan_id":"s","status":"completed","findings":[` + a + `],`, `{"scan_id":"s","status":"completed","findings":[` + a,
		`{"scan_id":"s","status":"completed","findings":[` + a + `],"x":]}`, `{"scan_id":"s","status":"completed","findings":[` + a + `,{"x"`,
	} {
		sink := new(consumertest.LogsSink)
		_, _, _ = post(t, start(t, nil, sink), strings.NewReader(in), "Content-Type", "application/json")
		var ends []any
		for _, lr := range records(sink) {
			if attrs := lr.Attributes().AsRaw(); attrs[record.AttrEventType] == record.Scan {
				ends = append(ends, attrs[record.AttrScanStatus])
			}
		}
		assert.Equal(t, []any{"incomplete"}, ends, in)
	}
}

func TestShapes(t *testing.T) {
	const line = `datetime:1612422455.63|Scan ID:000176_1_x|Event:Email Scanned|Subject:a | b|Verdict:SUS`
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"object":        {a, []string{a}},
		"array":         {"[" + a + "," + b + "]", []string{a, b}},
		"NDJSON":        {a + "\n" + b + "\n", []string{a, b}},
		"Records":       {`{"Records":[` + a + "," + b + `]}`, []string{a, b}},
		"results":       {`{"count":2,"next":null,"results":[` + a + "," + b + `]}`, []string{a, b}},
		"scan envelope": {`{"scan_id":"s","status":"completed","findings":[` + a + `],"attack_paths":[` + b + `]}`, []string{a, b}},
		"pipe line":     {line, []string{line}},
		"nothing":       {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			sink := new(consumertest.LogsSink)
			url := start(t, nil, sink)
			code, got, _ := post(t, url, strings.NewReader(c.in), "Content-Type", "application/json")
			assert.Equal(t, http.StatusOK, code)
			assert.Equal(t, answer{Accepted: len(c.want), Invalid: []invalidRecord{}}, got)
			assert.Equal(t, c.want, bodies(sink))
		})
	}
}

func TestAttributes(t *testing.T) {
	sink := new(consumertest.LogsSink)
	url := start(t, nil, sink)
	before := time.Now()
	code, _, _ := post(t, url+"/panoptica", strings.NewReader(`{"scan_id":"s","status":"failed","findings":[`+a+`]}`))
	require.Equal(t, http.StatusOK, code)
	lr := records(sink)[0]
	assert.Equal(t, map[string]any{"siem.format": "panoptica", "siem.scan_id": "s", "siem.scan_status": "failed"}, lr.Attributes().AsRaw())
	assert.WithinRange(t, lr.ObservedTimestamp().AsTime(), before, time.Now())
}

func TestInvalidRecordsGoOn(t *testing.T) {
	long := `{"alert_id":"` + strings.Repeat("x", 3<<20) + `"}`
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	in := strings.Join([]string{a, "garbage", `{"half":`, long, deep, "{\"alert_id\":\"\xff\"}", b}, "\n")
	sink := new(consumertest.LogsSink)
	code, got, _ := post(t, start(t, nil, sink), strings.NewReader(in))
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 7, got.Accepted)
	var at []int
	for _, invalid := range got.Invalid {
		at = append(at, invalid.Index)
	}
	assert.Equal(t, []int{1, 2, 4, 5}, at, "what is valid JSON but too long is for the processor to say")
	out := bodies(sink)
	require.Len(t, out, 7)
	assert.Equal(t, a, out[0])
	assert.Equal(t, b, out[6])
	assert.Equal(t, long, out[3])
	assert.Contains(t, out[1], `"raw":"garbage"`)
	assert.Contains(t, out[2], `"raw":"{\"half\":"`)
	assert.Contains(t, out[5], `"raw_base64"`)
}

func TestInvalidListIsCapped(t *testing.T) {
	sink := new(consumertest.LogsSink)
	code, got, _ := post(t, start(t, nil, sink), strings.NewReader(strings.Repeat("x\n", 250)))
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, got.Invalid, maxInvalidListed)
	assert.Equal(t, 250, got.InvalidTotal)
	assert.Equal(t, 250, sink.LogRecordCount())
}

func gzipped(t *testing.T, text string) []byte {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	_, err := io.WriteString(zw, text)
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	return buf.Bytes()
}

func zstded(t *testing.T, text string) []byte {
	zw, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	return zw.EncodeAll([]byte(text), nil)
}

func TestCompression(t *testing.T) {
	sink := new(consumertest.LogsSink)
	url := start(t, nil, sink)
	for encoding, body := range map[string][]byte{
		"gzip": append(gzipped(t, a+"\n"), gzipped(t, b)...), // two members, as append-only files have
		"zstd": zstded(t, a+"\n"+b),
	} {
		sink.Reset()
		code, _, _ := post(t, url, bytes.NewReader(body), "Content-Encoding", encoding)
		assert.Equal(t, http.StatusOK, code, encoding)
		assert.Equal(t, []string{a, b}, bodies(sink), encoding)
		sink.Reset()
		code, _, _ = post(t, url, bytes.NewReader(body))
		assert.Equal(t, http.StatusOK, code, encoding)
		assert.Equal(t, []string{a, b}, bodies(sink), "%s, and no header says so", encoding)
		sink.Reset()
		code, _, _ = post(t, url, bytes.NewReader(gzipped(t, string(body))), "Content-Encoding", "gzip")
		assert.Equal(t, http.StatusOK, code, encoding)
		assert.Equal(t, []string{a, b}, bodies(sink), "%s of a file, on its way in gzip", encoding)
	}
	for _, short := range []string{"", "{", "\x1f\x8b", "\x28\xb5\x2f"} { // shorter than what compressed files begin with
		code, got, _ := post(t, url, strings.NewReader(short))
		assert.Equal(t, http.StatusOK, code, short)
		assert.Equal(t, min(1, len(short)), got.Accepted, short)
	}
	for want, c := range map[int]struct {
		encoding string
		body     []byte
	}{
		http.StatusUnsupportedMediaType: {"br", []byte("x")},
		http.StatusBadRequest:           {"gzip", []byte("no gzip")},
	} {
		code, got, _ := post(t, url, bytes.NewReader(c.body), "Content-Encoding", c.encoding)
		assert.Equal(t, want, code)
		assert.NotEmpty(t, got.Error)
	}
	sink.Reset()
	torn := gzipped(t, a+"\n"+strings.Repeat(b+"\n", 10_000))
	code, got, _ := post(t, url, bytes.NewReader(torn[:len(torn)-10]), "Content-Encoding", "gzip")
	assert.Equal(t, http.StatusBadRequest, code)
	assert.Equal(t, sink.LogRecordCount(), got.Accepted, "what came whole went on, and the answer says so")
	assert.NotZero(t, got.Accepted)
}

func TestTooLarge(t *testing.T) {
	url := start(t, func(c *Config) { c.MaxRequestBodySize, c.MaxDecompressedSize = 1<<10, 1<<20 }, new(consumertest.LogsSink))
	bomb := strings.Repeat(" ", 2<<20)
	for name, c := range map[string]struct {
		body     []byte
		encoding string
	}{
		"as sent": {[]byte(strings.Repeat(a+"\n", 100)), ""},
		"zstd":    {zstded(t, bomb), "zstd"},
	} {
		code, got, _ := post(t, url, bytes.NewReader(c.body), "Content-Encoding", c.encoding)
		assert.Equal(t, http.StatusRequestEntityTooLarge, code, "%s: %+v", name, got)
	}
	url = start(t, func(c *Config) { c.MaxDecompressedSize = 1 << 20 }, new(consumertest.LogsSink))
	code, got, _ := post(t, url, bytes.NewReader(gzipped(t, bomb)), "Content-Encoding", "gzip")
	assert.Equal(t, http.StatusRequestEntityTooLarge, code, got)
}

func TestRefusedRequests(t *testing.T) {
	sink := new(consumertest.LogsSink)
	url := start(t, nil, sink)
	code, got, _ := post(t, url+"/splunk", strings.NewReader(a))
	assert.Equal(t, http.StatusNotFound, code)
	assert.Contains(t, got.Error, "perception_point_syslog")
	code, got, _ = post(t, strings.TrimSuffix(url, "/v1/events")+"/v2/events", strings.NewReader(a))
	assert.Equal(t, http.StatusNotFound, code)
	assert.Contains(t, got.Error, "/v1/events")
	code, _, _ = post(t, url, strings.NewReader(a), "Content-Type", "application/xml")
	assert.Equal(t, http.StatusUnsupportedMediaType, code)
	resp, err := http.Get(url)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
	assert.Equal(t, "POST", resp.Header.Get("Allow"))
	assert.Zero(t, sink.LogRecordCount())
}

func TestHMAC(t *testing.T) {
	const secret = "a-secret-of-32-bytes-or-more-0123"
	sink := new(consumertest.LogsSink)
	url := start(t, func(c *Config) {
		c.HMAC = configoptional.Some(HMACConfig{Secret: secret, Header: defaultHMACHeader})
	}, sink)
	sign := func(body []byte) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		return hex.EncodeToString(mac.Sum(nil))
	}
	large := []byte(strings.Repeat(a+"\n", 3*spoolMemory/len(a)))
	for name, body := range map[string][]byte{"small": []byte(a), "large": large, "empty": nil} {
		sink.Reset()
		for _, prefix := range []string{"sha256=", ""} {
			code, got, _ := post(t, url, bytes.NewReader(body), defaultHMACHeader, prefix+sign(body))
			assert.Equal(t, http.StatusOK, code, "%s: %+v", name, got)
		}
		assert.Equal(t, 2*bytes.Count(append(body, '\n'), []byte("alert_id")), sink.LogRecordCount(), name)
	}
	zipped := gzipped(t, a)
	sink.Reset()
	code, _, _ := post(t, url, bytes.NewReader(zipped), defaultHMACHeader, sign(zipped), "Content-Encoding", "gzip")
	assert.Equal(t, http.StatusOK, code, "the signature is over the body as sent")
	assert.Equal(t, []string{a}, bodies(sink))

	sink.Reset()
	for _, signature := range []string{"", "sha256=", "sha256=00", "zz", sign([]byte(b))} {
		code, got, _ := post(t, url, bytes.NewReader(large), defaultHMACHeader, signature)
		assert.Equal(t, http.StatusUnauthorized, code)
		assert.NotContains(t, got.Error, secret)
	}
	assert.Zero(t, sink.LogRecordCount(), "nothing of an unsigned body goes on")
}

// refusing takes ok batches and refuses the rest.
type refusing struct {
	consumertest.LogsSink
	ok  int
	err error
}

func (r *refusing) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	if len(r.AllLogs()) >= r.ok {
		return r.err
	}
	return r.LogsSink.ConsumeLogs(ctx, logs)
}

func TestPipelineRefuses(t *testing.T) {
	in := strings.Repeat(a+"\n", 2*maxBatchRecords+1)
	for want, err := range map[int]error{
		http.StatusServiceUnavailable:  errors.New("memory limit"),
		http.StatusInternalServerError: consumererror.NewPermanent(errors.New("never")),
	} {
		next := &refusing{ok: 1, err: err}
		code, got, header := post(t, start(t, nil, next), strings.NewReader(in))
		assert.Equal(t, want, code)
		assert.Equal(t, maxBatchRecords, got.Accepted)
		assert.Contains(t, got.Error, err.Error())
		if want == http.StatusServiceUnavailable {
			assert.Equal(t, retryAfter, header.Get("Retry-After"))
		}
	}
}

// full takes nothing, as a queue does that has no room and blocks.
type full struct{ consumer.Logs }

func (full) ConsumeLogs(ctx context.Context, _ plog.Logs) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestFullQueue: who waits for room is answered as long as an answer can be sent, and gives its place to others.
func TestFullQueue(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.WriteTimeout = 20 * time.Millisecond
	cfg.MaxConcurrentRequests = 1
	f, err := newFindings(receivertest.NewNopSettings(metadata.Type), cfg, full{})
	require.NoError(t, err)
	for range 2 {
		w := httptest.NewRecorder()
		f.routes().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, cfg.Path, strings.NewReader(a)))
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.NotEmpty(t, w.Header().Get("Retry-After"))
		assert.Contains(t, w.Body.String(), "not taken within write_timeout")
	}
	require.NoError(t, f.Shutdown(t.Context()))
}

// A body that breaks off must not hide that the pipeline refused what came whole.
func TestPipelineRefusesBrokenBody(t *testing.T) {
	next := &refusing{err: errors.New("memory limit")}
	torn := gzipped(t, strings.Repeat(a+"\n", 500))
	code, got, header := post(t, start(t, nil, next), bytes.NewReader(torn[:len(torn)-10]), "Content-Encoding", "gzip")
	assert.Equal(t, http.StatusServiceUnavailable, code, got)
	assert.Equal(t, retryAfter, header.Get("Retry-After"))
}

func TestSenderHangsUp(t *testing.T) {
	sink := new(consumertest.LogsSink)
	url := start(t, nil, sink)
	conn, err := net.Dial("tcp", strings.Split(url, "/")[2])
	require.NoError(t, err)
	_, err = io.WriteString(conn, "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"+a+"\n"+b+"\n{\"torn")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return sink.LogRecordCount() > 0 }, time.Minute, 5*time.Millisecond)
	assert.Equal(t, []string{a, b}, bodies(sink), "what came whole goes on")
}

func TestTooManyRequests(t *testing.T) {
	taken, release := make(chan struct{}), make(chan struct{})
	next, err := consumer.NewLogs(func(context.Context, plog.Logs) error {
		taken <- struct{}{}
		<-release
		return nil
	})
	require.NoError(t, err)
	url := start(t, func(c *Config) { c.MaxConcurrentRequests = 1 }, next)
	first := make(chan int)
	go func() {
		code, _, _ := post(t, url, strings.NewReader(a))
		first <- code
	}()
	<-taken
	code, got, header := post(t, url, strings.NewReader(b))
	assert.Equal(t, http.StatusTooManyRequests, code)
	assert.Equal(t, "5", header.Get("Retry-After"))
	assert.Zero(t, got.Accepted)
	close(release)
	assert.Equal(t, http.StatusOK, <-first)
	go func() { <-taken }()
	code, _, _ = post(t, url, strings.NewReader(b))
	assert.Equal(t, http.StatusOK, code, "the slot is free again")
}

// A pipeline that blocks and a sender that never ends its body must not hold the collector's shutdown.
func TestShutdownIsBounded(t *testing.T) {
	taken := make(chan struct{})
	var inside atomic.Int32
	next, err := consumer.NewLogs(func(ctx context.Context, _ plog.Logs) error {
		inside.Add(1)
		defer inside.Add(-1)
		close(taken)
		<-ctx.Done() // as a full queue that blocks
		return ctx.Err()
	})
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	cfg.NetAddr.Endpoint = freeAddress(t)
	r, err := NewFactory().CreateLogs(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, next)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))

	endless, err := net.Dial("tcp", cfg.NetAddr.Endpoint)
	require.NoError(t, err)
	defer endless.Close()
	_, err = io.WriteString(endless, "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{")
	require.NoError(t, err)
	answered := make(chan error)
	go func() {
		resp, err := http.Post("http://"+cfg.NetAddr.Endpoint+cfg.Path, "", strings.NewReader(a))
		if err == nil {
			resp.Body.Close()
			assert.NotEqual(t, http.StatusOK, resp.StatusCode, "nobody took the record")
		}
		answered <- err
	}()
	<-taken
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.NoError(t, r.Shutdown(ctx))
	assert.Zero(t, inside.Load(), "the next consumer is left alone once Shutdown returns")
	<-answered
}

// repeated is a body of n lines that exists nowhere as a whole.
type repeated struct {
	line string
	off  int
	left int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) && r.left > 0 {
		m := copy(p[n:], r.line[r.off:])
		n += m
		if r.off += m; r.off == len(r.line) {
			r.off = 0
			r.left--
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestMemory(t *testing.T) {
	var taken, peak atomic.Uint64
	next, err := consumer.NewLogs(func(_ context.Context, logs plog.Logs) error {
		if taken.Add(uint64(logs.LogRecordCount()))%10_000 == 0 {
			peak.Store(max(peak.Load(), measure.Heap()))
		}
		return nil
	})
	require.NoError(t, err)
	const records = 180_000
	line := `{"alert_id":"a","detection_type":"other","description":"` + strings.Repeat("x", 1050) + `"}` + "\n"
	code, got, _ := post(t, start(t, nil, next), &repeated{line: line, left: records})
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, records, got.Accepted)
	assert.EqualValues(t, records, taken.Load())
	assert.Less(t, peak.Load(), uint64(8<<20), "bytes in use for a body of 200 MB")
	t.Logf("%d KiB in use at most", peak.Load()>>10)
}

// TestMemoryOfTheFew: one open finding among a hundred dismissed ones does not keep what was received with it alive while it waits.
func TestMemoryOfTheFew(t *testing.T) {
	waiting := new(consumertest.LogsSink)
	factory := siemprocessor.NewFactory()
	siem, err := factory.CreateLogs(t.Context(), processortest.NewNopSettings(factory.Type()), factory.CreateDefaultConfig(), waiting)
	require.NoError(t, err)
	url := start(t, nil, siem)
	finding := `{"alert_id":"f-1","provider":"AWS","status":"%s","severity":"High","tenant_id":"id-1234","account_id":"111122223333",` +
		`"resource_type":"Storage","risk_category":"Data Exposure","detection_type":"security_finding","attack_scenario":"Public bucket",` +
		`"description":"` + strings.Repeat("x", 700) + `","detection_timestamp":"2024-09-15T17:16:00Z"}` + "\n"
	const open, hidden = 500, 99
	hundred := fmt.Sprintf(finding, "open") + strings.Repeat(fmt.Sprintf(finding, "dismissed"), hidden)

	inUse := func() uint64 {
		runtime.GC() // what pools keep goes with the next
		return measure.Heap()
	}
	before := inUse()
	code, got, _ := post(t, url, &repeated{line: hundred, left: open})
	require.Equal(t, http.StatusOK, code, got)
	require.Equal(t, open*(1+hidden), got.Accepted)
	require.Equal(t, open, waiting.LogRecordCount())
	held := inUse() - before
	assert.Less(t, held, uint64(4*open*len(finding)), "bytes in use for %d records of %d", open, len(finding))
	t.Logf("%d bytes in use a record of %d", held/open, len(finding))
	runtime.KeepAlive(waiting)
}

func TestPathsThatNoRouterTakes(t *testing.T) {
	for _, path := range []string{"", "/", "x", "/x/", "/x y", "/x\ty", "/x//y", "/x/../y", "/{x}", "/x?y"} {
		cfg := createDefaultConfig().(*Config)
		cfg.Path = path
		assert.ErrorContains(t, confmap.Validate(cfg), "path", path)
	}
}

func TestValidateNamesEveryKey(t *testing.T) {
	conf := confmap.NewFromStringMap(map[string]any{"endpoint": "", "path": "events/", "max_request_body_size": 0, "max_decompressed_size": 0, "max_concurrent_requests": 0, "hmac": map[string]any{"secret": "short", "header": "a b"}})
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, conf.Unmarshal(cfg))
	err := confmap.Validate(cfg)
	for _, key := range []string{"endpoint", "path", "max_request_body_size", "max_decompressed_size", "max_concurrent_requests", "hmac", "secret", "header"} {
		assert.ErrorContains(t, err, key)
	}
}

func TestExample(t *testing.T) {
	conf, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := conf.Sub("findings")
	require.NoError(t, err)
	url := start(t, func(c *Config) {
		endpoint := c.NetAddr.Endpoint
		require.NoError(t, sub.Unmarshal(c))
		c.NetAddr.Endpoint = endpoint
	}, consumertest.NewNop())
	code, _, _ := post(t, url, strings.NewReader(a))
	assert.Equal(t, http.StatusUnauthorized, code, "the example asks for signatures")
}

// TestOnlyScanEnds: a body of nothing but empty envelopes is passed on in batches too.
func TestOnlyScanEnds(t *testing.T) {
	sink := new(consumertest.LogsSink)
	url := start(t, nil, sink)
	var text strings.Builder
	for i := range 2 * maxBatchRecords {
		fmt.Fprintf(&text, `{"scan_id":%d,"findings":[]}`+"\n", i)
	}
	code, got, _ := post(t, url, strings.NewReader(text.String()))
	assert.Equal(t, 200, code)
	assert.Zero(t, got.Accepted)
	assert.Equal(t, 2*maxBatchRecords, sink.LogRecordCount())
	assert.Len(t, sink.AllLogs(), 2)
}

package findingstateprocessor

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.yaml.in/yaml/v3"

	"github.com/siempipe/siempipe/internal/findingstate"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema/panoptica"
	"github.com/siempipe/siempipe/processor/findingstateprocessor/internal/metadatatest"
)

func TestReadmeExample(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, text2, ok := strings.Cut(string(text), "```yaml\n")
	require.True(t, ok)
	text2, _, _ = strings.Cut(text2, "```")
	var all map[string]map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text2), &all))
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(all["processors"]["finding_state"].(map[string]any)).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	assert.Equal(t, "changes", cfg.Emit)

	conf, err := confmaptest.LoadConf("config.schema.json") // every key of the schema stands in the README's table
	require.NoError(t, err)
	keys, err := conf.Sub("properties")
	require.NoError(t, err)
	for key := range keys.ToStringMap() {
		assert.Contains(t, string(text), "| `"+key+"` |")
	}
}

func TestMistakesAreNamed(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.Validate(cfg))
	cfg.Emit, cfg.Release, cfg.DispositionsWithoutTenant, cfg.MaxWaitingBytes, cfg.CacheFindings = "new", "never", "maybe", 1<<20-1, 16384-1
	cfg.Heartbeat, cfg.QuietPeriod, cfg.ExpireAfter, cfg.MaxWaitingTime = -1, time.Millisecond, -1, -1
	err := confmap.Validate(cfg)
	for _, key := range []string{"emit", "release", "dispositions_without_tenant", "max_waiting_bytes", "cache_findings",
		"heartbeat", "quiet_period", "expire_after", "max_waiting_time"} {
		assert.ErrorContains(t, err, key)
	}
	cfg = createDefaultConfig().(*Config)
	cfg.Storage = component.ID{}
	require.ErrorContains(t, confmap.Validate(cfg), "storage: required")
	assert.Equal(t, storageID, NewFactory().CreateDefaultConfig().(*Config).Storage)
}

func TestStartNeedsAStorage(t *testing.T) {
	for name, c := range map[string]struct {
		host host
		want string
	}{
		"no extension": {host{}, "there is no extension file_storage"},
		"another":      {host{storageID: struct{ component.Component }{}}, "is no storage"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := NewFactory().CreateLogs(t.Context(), nop(), defaults(), consumertest.NewNop())
			require.NoError(t, err)
			require.ErrorContains(t, p.Start(t.Context(), c.host), c.want)
			require.NoError(t, p.Shutdown(t.Context()))
		})
	}
}

// TestStorageInUse: one state is for one processor, also within one collector.
func TestStorageInUse(t *testing.T) {
	r := newRig(t, defaults())
	p, err := NewFactory().CreateLogs(t.Context(), nop(), defaults(), consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, p.Start(t.Context(), host{storageID: r.ext}), "is it in use by another collector, or by this processor in another pipeline?")
	require.NoError(t, p.Shutdown(t.Context()))
}

// TestInputStaysAsItIs: a sender that is refused sends the same logs again.
func TestInputStaysAsItIs(t *testing.T) {
	cfg := defaults()
	cfg.AnnotateBody, cfg.Release = true, onScanCompleted
	r := newRig(t, cfg)
	logs := r.logs(r.finding("f-1", ""), r.finding("f-2", "").of("s1", "running"), post{scan: "s1"}, r.finding("f-1", ""))
	logs.MarkReadOnly()
	before, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	for _, refuse := range []error{errRefused, consumererror.NewPermanent(errRefused), nil} {
		r.sink.refuse = refuse
		err := r.ConsumeLogs(t.Context(), logs)
		if refuse != nil {
			require.ErrorIs(t, err, errRefused)
		} else {
			require.NoError(t, err)
		}
		after, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
	assert.Equal(t, []string{"f-1 new"}, r.sink.take())
	assert.Equal(t, 1, r.tracker.Stats().Waiting)
}

// TestOthersPass: what is no finding goes through, in its place.
func TestOthersPass(t *testing.T) {
	r := newRig(t, defaults())
	logs := plog.NewLogs()
	for i, c := range []struct{ eventType, format, body string }{
		{"email_scan", "perception_point", `{"x":1}`}, {"other", "perception_point", `{"x":2}`}, {"invalid", "panoptica", `{"error":"x"}`},
		{"AWS.CloudTrail", "aws.cloudtrail", `{"x":3}`}, {"", "", "a line"}, {"security_finding", "panoptica", `no JSON`},
		{"security_finding", "panoptica", `{"alert_id":"f-1","severity":"Low"}`}, {"security_finding", "panoptica", `{"alert_id":"f-1","severity":"Low"}`},
		{"email_scan", "perception_point", `{"x":4}`},
	} {
		rl := logs.ResourceLogs().AppendEmpty()
		if i > 4 {
			rl = logs.ResourceLogs().At(4)
		} else {
			rl.Resource().Attributes().PutInt("n", int64(i))
			rl.ScopeLogs().AppendEmpty().Scope().SetName("s")
		}
		lr := rl.ScopeLogs().At(0).LogRecords().AppendEmpty()
		lr.Body().SetStr(c.body)
		lr.Attributes().PutStr(record.AttrID, "f-1")
		if c.eventType != "" {
			lr.Attributes().PutStr(record.AttrEventType, c.eventType)
			lr.Attributes().PutStr(record.AttrFormat, c.format)
		}
	}
	logs.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool { return rl.ScopeLogs().Len() == 0 })
	require.NoError(t, r.ConsumeLogs(t.Context(), logs))
	var bodies []string
	out := r.sink.logs[0]
	for _, lr := range records(out) {
		bodies = append(bodies, lr.Body().Str())
	}
	assert.Equal(t, []string{`{"x":1}`, `{"x":2}`, `{"error":"x"}`, `{"x":3}`, "a line", "no JSON", `{"alert_id":"f-1","severity":"Low"}`, `{"x":4}`}, bodies)
	assert.Equal(t, 5, out.ResourceLogs().Len())
	assert.Equal(t, map[string]any{"n": int64(4)}, out.ResourceLogs().At(4).Resource().Attributes().AsRaw())
	assert.Equal(t, "s", out.ResourceLogs().At(4).ScopeLogs().At(0).Scope().Name())
}

func TestAnnotatedBodies(t *testing.T) {
	cfg := defaults()
	cfg.AnnotateBody = true
	r := newRig(t, cfg)
	body := func(p post) string {
		require.NoError(t, r.ConsumeLogs(t.Context(), r.logs(p)))
		if len(r.sink.logs) == 0 {
			return ""
		}
		out := records(r.sink.logs[0])[0]
		r.sink.logs = nil
		if raw := out.Body().AsRaw(); out.Body().Type().String() == "Map" {
			return fmt.Sprint(raw)
		}
		return out.Body().Str()
	}
	one := r.finding("f-1", "").body
	first := strings.TrimSuffix(one, "}") + `,"siem_change":"new"}`
	assert.Equal(t, first, body(post{body: one}))
	assert.Empty(t, body(post{body: first}), "its own annotation is no news")
	second := strings.TrimSuffix(one, "}") + `,"labels":[],"siem_change":"changed","siem_changed_fields":["labels"]}`
	assert.Equal(t, second, body(post{body: strings.TrimSuffix(first, "}") + `,"labels":[]}`}), "replaced")
	require.NoError(t, jsonscan.Valid(second))

	logs := r.logs(r.finding("f-2", ""))
	require.NoError(t, records(logs)[0].Body().SetEmptyMap().FromRaw(map[string]any{"alert_id": "f-2", "severity": "Low", "labels": []any{"x"}}))
	require.NoError(t, r.ConsumeLogs(t.Context(), logs))
	assert.Equal(t, map[string]any{"alert_id": "f-2", "severity": "Low", "labels": []any{"x"}, "siem_change": "new"}, records(r.sink.logs[0])[0].Body().Map().AsRaw())
	assert.Equal(t, "{", string(withoutAnnotation(nil, `{"siem_change":"new"}`)))
	assert.Equal(t, `{"siem_change":"new"}`, annotated(`{}`, &findingstate.Observation{Change: findingstate.New}))
}

// TestUnseenRecord: it validates, and says what the state knows.
func TestUnseenRecord(t *testing.T) {
	cfg := defaults()
	cfg.EmitNotSeen = true
	r := newRig(t, cfg)
	path := r.finding(`a"\u007c`, "")
	path.body = strings.Replace(path.body, "security_finding", "attack_path", 1)
	path.body = strings.TrimSuffix(path.body, "}") + `,"risk_params":{}}`
	r.consume(r.finding("f-1", ""), path)
	r.sink.take()
	r.do(cfg, "+1h")
	r.do(cfg, "f-9")
	r.sink.take()
	r.clock = r.clock.Add(time.Hour)
	require.NoError(t, r.tick(t.Context()))
	require.Len(t, r.sink.logs, 1)
	all := records(r.sink.logs[0])
	require.Len(t, all, 2)
	types := map[string]bool{}
	for _, lr := range all {
		members, _, err := jsonscan.Members(nil, lr.Body().Str())
		require.NoError(t, err)
		require.NoError(t, new(panoptica.Finding).Check(members, 0))
		attrs := lr.Attributes().AsRaw()
		types[attrs[record.AttrEventType].(string)] = true
		assert.Equal(t, "id-1", attrs[record.AttrTenantID])
		assert.Equal(t, "111122223333", attrs[record.AttrAccountID])
		assert.Equal(t, "panoptica", attrs[record.AttrFormat])
		assert.Equal(t, "not_seen", attrs[record.AttrChange])
		assert.Equal(t, "High", lr.SeverityText())
		assert.Contains(t, lr.Body().Str(), `"siem_first_seen":"2026-03-01T08:00:00Z","siem_last_seen":"2026-03-01T08:00:00Z"`)
	}
	assert.Equal(t, map[string]bool{"security_finding": true, "attack_path": true}, types)
}

func TestMetrics(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
	set := nop()
	set.TelemetrySettings = tel.NewTelemetrySettings()
	cfg := defaults()
	cfg.Release, cfg.MaxWaitingTime = onScanCompleted, time.Hour
	r := newRigWith(t, set, cfg)
	r.do(cfg, `f-1 f-1 f-2`)
	r.do(cfg, `event {"alert_id":"f-2","status":"dismissed"}`)
	r.do(cfg, `f-2`)
	r.do(cfg, `scan s1 running: f-3 f-4`)
	r.do(cfg, `scan s1 failed`)
	r.do(cfg, `scan s1: f-5`)
	r.do(cfg, `scan s2: f-6`)
	r.do(cfg, `+61m`)
	r.do(cfg, `f-1`)
	r.do(cfg, `scan s3: f-7`)
	r.do(cfg, `+20m`)

	point := func(n int64, attrs ...attribute.KeyValue) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(append(attrs, attribute.String("processor", set.ID.String()))...)}
	}
	one := func(n int64) []metricdata.DataPoint[int64] { return []metricdata.DataPoint[int64]{point(n)} }
	change := func(s string) attribute.KeyValue { return attribute.String("change", s) }
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualProcessorFindingStateRecords(t, tel, []metricdata.DataPoint[int64]{
		point(3, change("new")), point(2, change("unchanged")), point(1, change("dismissed")), point(1, change("hidden")),
	}, ignore)
	metadatatest.AssertEqualProcessorFindingStateRecordsOut(t, tel, one(3), ignore)
	metadatatest.AssertEqualProcessorFindingStateRecordsDiscarded(t, tel, one(3), ignore)
	metadatatest.AssertEqualProcessorFindingStateRecordsReleasedEarly(t, tel, one(1), ignore)
	metadatatest.AssertEqualProcessorFindingStateFindings(t, tel, one(3), ignore)
	metadatatest.AssertEqualProcessorFindingStateCached(t, tel, one(3), ignore)
	metadatatest.AssertEqualProcessorFindingStateWaiting(t, tel, one(1), ignore)
	metadatatest.AssertEqualProcessorFindingStateNotSeen(t, tel, one(0), ignore)
}

// TestManySendersAtOnce: with the loop running, each finding is new exactly once.
func TestManySendersAtOnce(t *testing.T) {
	const senders, rounds, findings = 8, 20, 50
	cfg := defaults()
	cfg.QuietPeriod = time.Second
	cfg.EmitNotSeen = true
	dir := t.TempDir()
	ext := fileStorage(t, dir)
	next := new(consumertest.LogsSink)
	p, err := NewFactory().CreateLogs(t.Context(), nop(), cfg, next)
	require.NoError(t, err)
	var passed atomic.Int64 // the senders are of one snapshot however long they take
	p.(*findingState).now = func() time.Time { return start.Add(time.Duration(passed.Load())) }
	require.NoError(t, p.Start(t.Context(), host{storageID: ext}))
	r := &rig{t: t, clock: start}
	var all []plog.Logs
	for i := range senders * rounds {
		var posts []post
		for j := range findings {
			posts = append(posts, r.finding(fmt.Sprintf("f-%d", (i*7+j)%(3*findings)), ""))
		}
		all = append(all, r.logs(posts...))
	}
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range rounds {
				assert.NoError(t, p.ConsumeLogs(t.Context(), all[s*rounds+i]))
			}
		})
	}
	wg.Wait()
	passed.Store(int64(cfg.QuietPeriod * 10))
	time.Sleep(1200 * time.Millisecond) // the loop ticks, and ends the snapshot
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_ = p.ConsumeLogs(canceled, all[0])
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, ext.Shutdown(t.Context()))
	seen := map[string]int{}
	for _, logs := range next.AllLogs() {
		for _, lr := range records(logs) {
			seen[describe(lr)]++
		}
	}
	require.Len(t, seen, 3*findings)
	for what, n := range seen {
		assert.Equal(t, 1, n, what)
		assert.Contains(t, what, " new")
	}
}

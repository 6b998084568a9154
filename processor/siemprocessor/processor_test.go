package siemprocessor

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/processor/siemprocessor/internal/metadatatest"
)

const finding = `{"alert_id":"f-1","tenant_id":"id-1","account_id":"111122223333","severity":"High","asset_id":"arn:aws:s3:::www","attack_scenario":"Publicly readable bucket","detection_type":"security_finding","detection_timestamp":"2024-09-15T17:16:00Z"}`

// with is the finding with more members.
func with(members string) string { return strings.TrimSuffix(finding, "}") + "," + members + "}" }

// run starts a processor with cfg, feeds it one batch of bodies and returns what went on.
func run(t *testing.T, cfg *Config, set processor.Settings, bodies ...any) []plog.LogRecord {
	t.Helper()
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, body := range bodies {
		lr := records.AppendEmpty()
		lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		require.NoError(t, lr.Body().FromRaw(body))
	}
	sink := new(consumertest.LogsSink)
	p, err := NewFactory().CreateLogs(t.Context(), set, cfg, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	require.NoError(t, p.Shutdown(context.Background()))
	var out []plog.LogRecord
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

func defaults() *Config { return createDefaultConfig().(*Config) }

func nop() processor.Settings {
	return processor.Settings{ID: component.NewID(component.MustNewType("siem")), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
}

func TestRecordAfterTheProcessor(t *testing.T) {
	out := run(t, defaults(), nop(), finding)
	require.Len(t, out, 1)
	lr := out[0]
	assert.Equal(t, finding, lr.Body().Str())
	assert.Equal(t, map[string]any{
		"siem.event_type": "security_finding", "siem.account_id": "111122223333", "siem.tenant_id": "id-1",
		"siem.format": "panoptica", "siem.id": "f-1",
	}, lr.Attributes().AsRaw())
	assert.Equal(t, time.Date(2024, 9, 15, 17, 16, 0, 0, time.UTC), lr.Timestamp().AsTime())
	assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), lr.ObservedTimestamp().AsTime())
	assert.Equal(t, plog.SeverityNumberError, lr.SeverityNumber())
	assert.Equal(t, "High", lr.SeverityText())
}

func TestBodiesOfOtherReceivers(t *testing.T) {
	out := run(t, defaults(), nop(), []byte(finding), map[string]any{"alert_id": "f-2", "detection_type": "other"}, 7, []byte{0xff, 0xfe}, " \n")
	require.Len(t, out, 4, "the empty one is dropped")
	assert.Equal(t, finding, out[0].Body().Str())
	assert.Equal(t, `{"alert_id":"f-2","detection_type":"other"}`, out[1].Body().Str())
	for _, lr := range out[2:] {
		eventType, _ := lr.Attributes().Get(record.AttrEventType)
		assert.Equal(t, record.Invalid, eventType.Str())
	}
	assert.Contains(t, out[3].Body().Str(), `"raw_base64":"//4="`)
}

// What a sender says of the time of receipt must be a time; the day of records without a time of their own comes from it.
func TestReceivedAtNoTime(t *testing.T) {
	logs := plog.NewLogs()
	lr := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	lr.Body().SetStr(`{"alert_id":"f-1","detection_type":"other"}`)
	lr.SetObservedTimestamp(math.MaxUint64)
	p, err := newSiem(nop(), defaults(), consumertest.NewNop())
	require.NoError(t, err)
	p.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	logs, err = p.process(t.Context(), logs)
	require.NoError(t, err)
	require.Equal(t, 1, logs.LogRecordCount())
	assert.Equal(t, p.now(), lr.ObservedTimestamp().AsTime())
}

func TestExclude(t *testing.T) {
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	yesterday := time.Now().Add(-24 * time.Hour).UTC().Format(time.RFC3339)
	all := []any{
		with(`"dismissed":true`), with(`"status":"Dismissed"`),
		with(`"snoozed":true,"snoozed_until":"` + tomorrow + `"`), with(`"STATE":"SNOOZED"`),
		with(`"snoozed_until":"` + yesterday + `"`), with(`"resolved":true`), finding,
	}
	bodies := func(lrs []plog.LogRecord) (out []any) {
		for _, lr := range lrs {
			out = append(out, lr.Body().Str())
		}
		return out
	}
	assert.Equal(t, all[4:], bodies(run(t, defaults(), nop(), all...)))

	cfg := defaults()
	cfg.Exclude = Exclude{Resolved: true}
	assert.Equal(t, append(append([]any{}, all[:5]...), finding), bodies(run(t, cfg, nop(), all...)))
}

func TestOnInvalidDrop(t *testing.T) {
	cfg := defaults()
	cfg.OnInvalid = onInvalidDrop
	assert.Len(t, run(t, cfg, nop(), `{"half":`, finding), 1)
}

func TestBodyMap(t *testing.T) {
	cfg := defaults()
	cfg.Body = bodyMap
	out := run(t, cfg, nop(), finding, "garbage")
	require.Len(t, out, 2)
	assert.Equal(t, "f-1", out[0].Body().Map().AsRaw()["alert_id"])
	assert.Equal(t, "garbage", out[1].Body().Map().AsRaw()["raw"])
}

func TestFormatAttributeWins(t *testing.T) {
	logs := plog.NewLogs()
	lr := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	lr.Body().SetStr(`{}`)
	lr.Attributes().PutStr(record.AttrFormat, "panoptica")
	sink := new(consumertest.LogsSink)
	p, err := NewFactory().CreateLogs(t.Context(), nop(), defaults(), sink)
	require.NoError(t, err)
	require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	got := sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	eventType, _ := got.Attributes().Get(record.AttrEventType)
	assert.Equal(t, record.Other, eventType.Str(), "{} is a finding for panoptica, and nothing for auto")
}

func TestInvalidOfAReceiverPasses(t *testing.T) {
	received := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	body := string(format.AppendInvalid(nil, `{"half":`, "auto", "byte 8: text ends", received))
	for _, c := range []struct{ body, want string }{
		{body, body},
		{finding, finding}, // the attribute alone does not make a record invalid
	} {
		logs := plog.NewLogs()
		lr := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		lr.Body().SetStr(c.body)
		lr.Attributes().PutStr(record.AttrEventType, record.Invalid)
		lr.Attributes().PutStr(record.AttrError, "byte 8: text ends")
		sink := new(consumertest.LogsSink)
		p, err := NewFactory().CreateLogs(t.Context(), nop(), defaults(), sink)
		require.NoError(t, err)
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		got := sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		assert.Equal(t, c.want, got.Body().Str())
	}
}

func TestMetrics(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
	cfg := defaults()
	cfg.Suppressions.File = "testdata/suppressions.yaml"
	set := nop()
	set.TelemetrySettings = tel.NewTelemetrySettings()
	out := run(t, cfg, set, finding, `{"alert_id":"f-9"}`, with(`"dismissed":true`), `{"severity":"Terrible","alert_id":"f-3"}`, "")
	assert.Len(t, out, 2)

	point := func(n int64, attrs ...attribute.KeyValue) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(append(attrs, attribute.String("processor", set.ID.String()))...)}
	}
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualProcessorSiemRecordsIn(t, tel, []metricdata.DataPoint[int64]{point(5)}, ignore)
	metadatatest.AssertEqualProcessorSiemRecordsOut(t, tel, []metricdata.DataPoint[int64]{point(2)}, ignore)
	metadatatest.AssertEqualProcessorSiemRecordsDropped(t, tel, []metricdata.DataPoint[int64]{
		point(1, attribute.String("reason", "suppressed")), point(1, attribute.String("reason", "dismissed")), point(1, attribute.String("reason", "empty")),
	}, ignore)
	metadatatest.AssertEqualProcessorSiemRecordsInvalid(t, tel, []metricdata.DataPoint[int64]{point(1, attribute.String("format", "panoptica"))}, ignore)
	metadatatest.AssertEqualProcessorSiemRecordsSuppressed(t, tel, []metricdata.DataPoint[int64]{point(1, attribute.String("rule", "public-website"))}, ignore)
}

// patience is how long a test waits for what must come: a busy machine is slow and may pause.
const patience = time.Minute

func TestSuppressionsAreReread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.yaml")
	write := func(text string) { // in one step: a file that is being written may be read empty
		require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	write("suppressions: []")
	cfg := defaults()
	cfg.Suppressions = Suppressions{File: path, ReloadInterval: 5 * time.Millisecond}
	sink := new(consumertest.LogsSink)
	core, log := observer.New(zap.InfoLevel)
	set := nop()
	set.Logger = zap.New(core)
	p, err := NewFactory().CreateLogs(t.Context(), set, cfg, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, p.Shutdown(context.Background())) }()
	passes := func() bool {
		sink.Reset()
		logs := plog.NewLogs()
		logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(finding)
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		return sink.LogRecordCount() == 1
	}
	require.True(t, passes())
	write("suppressions: [{name: r, reason: test, expires: never, match: {alert_id: f-1}}]")
	require.Eventually(t, func() bool { return !passes() }, patience, 5*time.Millisecond)
	for read, broken := range []string{"suppressions: [{", "suppressions: {}\n- x", "suppressions: [{name: r}]"} {
		write(broken)
		require.Eventually(t, func() bool { return log.FilterMessageSnippet("not reread").Len() > read }, patience, time.Millisecond)
		require.False(t, passes(), "a broken file keeps the last good one")
	}
}

func TestStartNamesABrokenSuppressionsFile(t *testing.T) {
	cfg := defaults()
	cfg.Suppressions.File = filepath.Join(t.TempDir(), "absent.yaml")
	p, err := NewFactory().CreateLogs(t.Context(), nop(), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, p.Start(t.Context(), componenttest.NewNopHost()), "absent.yaml")
	require.NoError(t, p.Shutdown(context.Background()))
}

func TestExample(t *testing.T) {
	conf, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := conf.Sub("siem")
	require.NoError(t, err)
	cfg := defaults()
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	assert.Empty(t, run(t, cfg, nop(), finding), "suppressed by testdata/suppressions.yaml")
}

func TestValidateNamesEveryKey(t *testing.T) {
	cfg := defaults()
	cfg.Format, cfg.Body, cfg.OnInvalid, cfg.TenantID, cfg.MaxRecordBytes = "syslog", "xml", "ignore", "tenant", 0
	cfg.Suppressions = Suppressions{File: "x"}
	cfg.ScanEvents, cfg.JoinMaxBytes = "drop", 0
	cfg.VpcFlowFields, cfg.JoinWindow, cfg.ScanSeverities = "x y", 0, map[string]string{"MAL": "high"}
	err := confmap.Validate(cfg)
	for _, key := range []string{"format", "body", "on_invalid", "tenant_id", "max_record_bytes", "suppressions::on_match", "suppressions::reload_interval",
		"vpc_flow_fields", "join_window", "join_max_bytes", "scan_events", "scan_severities"} {
		assert.ErrorContains(t, err, key+": ")
	}
	assert.NoError(t, confmap.Validate(defaults()))
}

func TestEveryFormatIsValid(t *testing.T) {
	for _, name := range append(format.Names(), "auto") {
		cfg := defaults()
		cfg.Format = name
		assert.NoError(t, cfg.Validate(), name)
	}
}

func BenchmarkProcess(b *testing.B) {
	set := nop()
	p, err := newSiem(set, defaults(), consumertest.NewNop())
	require.NoError(b, err)
	batch := plog.NewLogs()
	records := batch.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	const n = 1000
	for range n {
		records.AppendEmpty().Body().SetStr(finding)
	}
	out, err := p.process(b.Context(), batch)
	if err != nil || out.LogRecordCount() != n {
		b.Fatal(out.LogRecordCount(), err)
	}
	b.SetBytes(int64(n * len(finding)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.process(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

func TestScansAsFindings(t *testing.T) {
	const scan = `{"full_scan_id":"X_1_a","origin":"email","verbose_verdict":"MAL"}`
	const line = `datetime:1612422455.63|Scan ID:X_1_b|Event:Email Scanned|Verdict:CLN|Sample:s`
	cfg := defaults()
	conf := confmap.NewFromStringMap(map[string]any{"scans_as_findings": true, "scan_severities": map[string]any{"MAL": "Critical"}})
	require.NoError(t, conf.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	out := run(t, cfg, nop(), scan, line, finding)
	require.Len(t, out, 3)
	for i, want := range []plog.SeverityNumber{plog.SeverityNumberFatal, plog.SeverityNumberInfo, plog.SeverityNumberError} {
		eventType, _ := out[i].Attributes().Get(record.AttrEventType)
		assert.Equal(t, record.SecurityFinding, eventType.Str())
		assert.Equal(t, want, out[i].SeverityNumber())
	}
	assert.Contains(t, out[0].Body().Str(), `"severity":"Critical"`)
	assert.Equal(t, finding, out[2].Body().Str())

	out = run(t, defaults(), nop(), scan)
	assert.Equal(t, plog.SeverityNumberError, out[0].SeverityNumber())

	cfg = defaults()
	cfg.ScanSeverities = map[string]string{"MAL": "Dreadful"}
	assert.ErrorContains(t, confmap.Validate(cfg), "scan_severities")
}

package siemprocessor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/record"
)

func TestScanEvents(t *testing.T) {
	const event = `{"scan_id":"s-1","status":"failed"}`
	scan := map[string]any{"siem.event_type": "scan", "siem.scan_id": "s-1", "siem.scan_status": "failed"}
	for name, c := range map[string]struct {
		key, body string
		attrs     map[string]any // as it comes
		format    string
		want      map[string]any // attributes as it goes on; nil when it is dropped
		wantType  string         // instead of all attributes
	}{
		"the end of an envelope":             {"ignore", event, scan, "auto", nil, ""},
		"the end of an envelope, passed":     {"pass", event, scan, "auto", scan, ""},
		"on its own":                         {"ignore", event, nil, "auto", nil, "invalid"},
		"on its own, passed":                 {"pass", event, nil, "auto", scan, ""},
		"on its own, passed, with a format":  {"pass", event, nil, "panoptica", scan, ""},
		"a number":                           {"pass", `{"scan_id":7,"state":"x"}`, nil, "auto", map[string]any{"siem.event_type": "scan", "siem.scan_id": "7"}, ""},
		"a finding that names its scan":      {"pass", with(`"scan_id":"s-1"`), nil, "auto", nil, "security_finding"},
		"a finding that says it is an event": {"ignore", with(`"scan_id":"s-1"`), map[string]any{"siem.event_type": "scan"}, "auto", nil, "security_finding"},
		"garbage that says it is an event":   {"pass", `{"scan_id":`, map[string]any{"siem.event_type": "scan"}, "auto", nil, "invalid"},
		"an array of no records":             {"pass", `{"scan_id":"s-1","status":"failed","errors":["x"]}`, nil, "auto", scan, ""},
		"an id that is none":                 {"pass", `{"scan_id":{},"status":"x"}`, nil, "auto", nil, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := defaults()
			cfg.ScanEvents, cfg.Format = c.key, c.format
			logs := plog.NewLogs()
			lr := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
			lr.Body().SetStr(c.body)
			require.NoError(t, lr.Attributes().FromRaw(c.attrs))
			sink := new(consumertest.LogsSink)
			p, err := NewFactory().CreateLogs(t.Context(), nop(), cfg, sink)
			require.NoError(t, err)
			require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
			require.NoError(t, p.ConsumeLogs(t.Context(), logs))
			require.NoError(t, p.Shutdown(context.Background()))
			if c.want == nil && c.wantType == "" {
				assert.Zero(t, sink.LogRecordCount())
				return
			}
			require.Equal(t, 1, sink.LogRecordCount())
			attrs := sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().AsRaw()
			if c.want != nil {
				assert.Equal(t, c.want, attrs)
			} else {
				assert.Equal(t, c.wantType, attrs[record.AttrEventType])
			}
		})
	}
}

// TestScanEnvelopeAsOneBody: an envelope that came through a receiver of anybody's is told apart as by the findings receiver.
func TestScanEnvelopeAsOneBody(t *testing.T) {
	for _, c := range []struct {
		key, body string
		want      []map[string]any
	}{
		{"pass", `{"scan_id":"s-1","findings":[{"alert_id":"f-1"}],"status":"completed"}`, []map[string]any{
			{"host": "h", "siem.event_type": "other", "siem.format": "panoptica", "siem.id": "f-1", "siem.scan_id": "s-1"},
			{"siem.event_type": "scan", "siem.scan_id": "s-1", "siem.scan_status": "completed"},
		}},
		{"ignore", `{"scan_id":"s-1","status":"running","findings":[{"alert_id":"f-1"}]}`, []map[string]any{
			{"host": "h", "siem.event_type": "other", "siem.format": "panoptica", "siem.id": "f-1", "siem.scan_id": "s-1", "siem.scan_status": "running"},
		}},
		{"pass", `{"scan_id":"s-1","status":"completed","findings":[]}`, []map[string]any{
			{"siem.event_type": "scan", "siem.scan_id": "s-1", "siem.scan_status": "completed"},
		}},
		{"ignore", `{"scan_id":"s-1","status":"completed","findings":[]}`, nil},
	} {
		cfg := defaults()
		cfg.ScanEvents = c.key
		logs := plog.NewLogs()
		lr := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		lr.Body().SetStr(c.body)
		lr.Attributes().PutStr("host", "h")
		sink := new(consumertest.LogsSink)
		p, err := NewFactory().CreateLogs(t.Context(), nop(), cfg, sink)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		require.NoError(t, p.Shutdown(context.Background()))
		var got []map[string]any
		for _, batch := range sink.AllLogs() {
			for _, lr := range batch.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
				got = append(got, lr.Attributes().AsRaw())
			}
		}
		assert.Equal(t, c.want, got, c.body)
	}
}

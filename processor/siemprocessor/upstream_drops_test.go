package siemprocessor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/record"
)

// TestSuppressedAndMarked: what is suppressed goes on with the name of the suppression, and nobody else can say so.
func TestSuppressedAndMarked(t *testing.T) {
	cfg := defaults()
	cfg.Suppressions.File = "testdata/suppressions.yaml"
	cfg.Suppressions.OnMatch = onMatchMark
	p, err := newSiem(nop(), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, p.shutdown(context.Background())) }()
	logs := plog.NewLogs()
	list := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, body := range []string{finding, `{"alert_id":"f-9"}`, "{", `{"findings":[{"alert_id":"f-9"},` + finding + `]}`} {
		lr := list.AppendEmpty()
		lr.Body().SetStr(body)
		lr.Attributes().PutStr(record.AttrSuppressed, "mine")
	}
	out, err := p.process(t.Context(), logs)
	require.NoError(t, err)
	var rules []any
	for _, lr := range out.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		rules = append(rules, lr.Attributes().AsRaw()[record.AttrSuppressed])
	}
	assert.Equal(t, []any{"public-website", nil, nil, nil, "public-website"}, rules)
}

// TestDropped: the next component is told what it does not get to see.
func TestDropped(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   logrecord.UpstreamDrops
	}{
		{func(*Config) {}, logrecord.UpstreamDrops{Exclude: process.Exclude{Dismissed: true, Snoozed: true}, ScanEvents: true}},
		{func(c *Config) {
			c.Exclude.Dismissed, c.Exclude.Snoozed, c.Exclude.Resolved = false, false, true
			c.Suppressions.File, c.ScanEvents = "testdata/suppressions.yaml", scanEventsPass
		}, logrecord.UpstreamDrops{Exclude: process.Exclude{Resolved: true}, Suppressed: true}},
		{func(c *Config) {
			c.Exclude.Dismissed, c.Exclude.Snoozed = false, false
			c.Suppressions.File, c.Suppressions.OnMatch, c.ScanEvents = "testdata/suppressions.yaml", onMatchMark, scanEventsPass
		}, logrecord.UpstreamDrops{}},
	} {
		cfg := defaults()
		c.change(cfg)
		next := new(consumertest.LogsSink)
		p, err := NewFactory().CreateLogs(t.Context(), nop(), cfg, next)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
		logs := plog.NewLogs()
		logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(`{"alert_id":"f-9"}`)
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		require.Equal(t, 1, next.LogRecordCount())
		assert.Equal(t, c.want, logrecord.UpstreamDropsOf(next.Contexts()[0]))
		require.NoError(t, p.Shutdown(context.Background()))
	}
}

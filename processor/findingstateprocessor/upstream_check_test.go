package findingstateprocessor

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/record"
)

// TestFrontKeepsBack: who forgot a key of the siem processor is told, once, and only where it matters.
func TestFrontKeepsBack(t *testing.T) {
	forgotten := logrecord.UpstreamDrops{Exclude: process.Exclude{Dismissed: true, Snoozed: true}, Suppressed: true, ScanEvents: true}
	findings := `[exclude::dismissed: false exclude::snoozed: false suppressions::on_match: mark]`
	for name, c := range map[string]struct {
		dropped logrecord.UpstreamDrops
		release string
		steps   []string
		want    []string
	}{
		"nothing said":            {logrecord.UpstreamDrops{}, onScanCompleted, []string{"f-1", "scan s1: f-2"}, nil},
		"no findings":             {forgotten, onScanCompleted, []string{""}, nil},
		"scans do not matter":     {forgotten, "immediately", []string{"f-1", "f-1"}, []string{findings}},
		"a scan names itself":     {forgotten, "immediately", []string{"f-1", "scan s1: f-2", "scan s1: f-2"}, []string{findings, "[scan_events: pass]"}},
		"scans are waited for":    {logrecord.UpstreamDrops{ScanEvents: true}, onScanCompleted, []string{"f-1"}, []string{"[scan_events: pass]"}},
		"resolved findings":       {logrecord.UpstreamDrops{Exclude: process.Exclude{Resolved: true}}, "immediately", []string{"f-1"}, []string{"[exclude::resolved: false]"}},
		"scan events, no scan id": {logrecord.UpstreamDrops{ScanEvents: true}, "immediately", []string{"f-1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			core, seen := observer.New(zap.WarnLevel)
			set := nop()
			set.Logger = zap.New(core)
			cfg := defaults()
			cfg.Release = c.release
			r := newRigWith(t, set, cfg)
			r.context = logrecord.WithUpstreamDrops(t.Context(), c.dropped)
			for _, step := range c.steps {
				if step == "" {
					logs := plog.NewLogs()
					lr := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
					lr.Attributes().PutStr(record.AttrEventType, record.EmailScan)
					require.NoError(t, r.ConsumeLogs(r.context, logs))
					continue
				}
				r.do(cfg, step)
			}
			var got []string
			for _, e := range seen.All() {
				got = append(got, fmt.Sprint(e.ContextMap()["keys"]))
			}
			assert.Equal(t, c.want, got)
		})
	}
}

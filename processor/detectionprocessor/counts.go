package detectionprocessor

import (
	"context"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/siempipe/siempipe/internal/detect"
)

// counts is what the metrics need beside the windows' own totals.
type counts struct {
	broken atomic.Int64 // rules left out

	mu       sync.Mutex
	reported detect.Counts // of the windows' totals
}

func byRule(name string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("rule", name))
}

// report adds what came of a batch.
func (p *detection) report(ctx context.Context, matches []match, made []*detect.Rule) {
	t := p.telemetry
	matched := map[string]int64{}
	failed := map[string]int64{}
	for i := range matches {
		key := matches[i].Rule.Key()
		matched[key]++
		if n := len(matches[i].Errors); n > 0 {
			failed[key] += int64(n)
		}
	}
	for rule, n := range matched {
		t.ProcessorDetectionMatches.Add(ctx, n, byRule(rule))
	}
	for rule, n := range failed {
		t.ProcessorDetectionTemplateErrors.Add(ctx, n, byRule(rule))
	}
	for _, rule := range made {
		t.ProcessorDetectionFindings.Add(ctx, 1, byRule(rule.Key()))
	}
	p.measure(ctx)
}

// measure reports what the windows hold and what became of others since the last time.
func (p *detection) measure(ctx context.Context) {
	t := p.telemetry
	p.counts.mu.Lock()
	defer p.counts.mu.Unlock()
	windows, bytes, now := p.detector.Windows().Len()
	t.ProcessorDetectionWindows.Record(ctx, int64(windows))
	t.ProcessorDetectionWindowsBytes.Record(ctx, bytes)
	before := p.counts.reported
	p.counts.reported = now
	t.ProcessorDetectionWindowsEvicted.Add(ctx, max(0, now.Evicted-before.Evicted))
	t.ProcessorDetectionRecordsLate.Add(ctx, max(0, now.Late-before.Late))
	t.ProcessorDetectionRecordsDuplicate.Add(ctx, max(0, now.Duplicate-before.Duplicate))
	p.measureRules(ctx)
}

func (p *detection) measureRules(ctx context.Context) {
	g := p.telemetry.ProcessorDetectionRules
	g.Record(ctx, int64(len(p.detector.Rules().Rules)), metric.WithAttributes(attribute.String("state", "active")))
	g.Record(ctx, p.counts.broken.Load(), metric.WithAttributes(attribute.String("state", "broken")))
}

package perceptionpointreceiver

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// progressInterval is how often a backfill writes a line into the log.
const progressInterval = 30 * time.Second

// progress tells how far a backfill is. A nil one is silent. It belongs to the stream's goroutine.
type progress struct {
	stream *stream
	start  int64 // of the backfill
	from   int64 // where this run of it began
	began  time.Time
	told   time.Time
	done   bool
}

// newProgress returns nil when there is no backfill.
func newProgress(s *stream) *progress {
	if s.cfg.StartTime.IsZero() {
		return nil
	}
	now := time.Now()
	return &progress{stream: s, start: s.cfg.StartTime.Unix(), from: s.state.Cursor, began: now, told: now}
}

// target is where the backfill ends: end_time, or now, from where the receiver goes on with new scans.
func (p *progress) target() int64 {
	if end := p.stream.cfg.EndTime; !end.IsZero() {
		return end.Unix()
	}
	return p.stream.clock.now().Unix()
}

// reached tells that everything before the cursor has been taken.
func (p *progress) reached(cursor int64) {
	if p == nil || p.done {
		return
	}
	target := p.target()
	ratio := 0.0
	if target > p.start {
		ratio = min(1, max(0, float64(cursor-p.start)/float64(target-p.start)))
	}
	p.stream.metrics.backfill(context.Background(), p.stream.name, ratio)
	if time.Since(p.told) < progressInterval {
		return
	}
	p.told = time.Now()
	fields := []zap.Field{zap.String("reached", time.Unix(cursor, 0).UTC().Format(time.RFC3339)),
		zap.Float64("percent", float64(int(ratio*1000))/10), zap.Int64("records", p.stream.metrics.accepted(p.stream.name))}
	if listed := cursor - p.from; listed > 0 {
		left := time.Duration(float64(time.Since(p.began)) * float64(target-cursor) / float64(listed))
		fields = append(fields, zap.Duration("left", left.Round(time.Second)))
	}
	p.stream.logger.Info("Backfill under way", fields...)
}

// complete tells, once, that everything up to the target has been taken.
func (p *progress) complete() {
	if p == nil || p.done || !p.stream.cfg.EndTime.IsZero() && !p.stream.finished() {
		return
	}
	p.done = true
	p.stream.metrics.backfill(context.Background(), p.stream.name, 1)
	msg := "Backfill complete; going on with what is new"
	if !p.stream.cfg.EndTime.IsZero() {
		msg = "Backfill complete; nothing is left to do up to end_time"
	}
	p.stream.logger.Info(msg, zap.Int64("records", p.stream.metrics.accepted(p.stream.name)), zap.Duration("took", time.Since(p.began).Round(time.Second)))
}

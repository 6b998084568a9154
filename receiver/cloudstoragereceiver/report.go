package cloudstoragereceiver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"
)

// totals is what the receiver has done since its start, for the lines about progress.
type totals struct {
	objects, failures, bytes, records, listed, listings, archived atomic.Int64
	lag                                                           atomic.Int64 // nanoseconds, of the object that was read last
	position                                                      atomic.Pointer[string]
}

// reportProgress logs progress at an interval, as long as there is any.
func (c *cloudStorage) reportProgress(ctx context.Context) {
	ticker := time.NewTicker(c.cfg.ProgressInterval)
	defer ticker.Stop()
	var objects, bytes, listed int64
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			t := &c.totals
			if t.objects.Load() == objects && t.bytes.Load() == bytes && t.listed.Load() == listed {
				last = now
				continue
			}
			seconds := now.Sub(last).Seconds()
			fields := []zap.Field{
				zap.Int64("objects", t.objects.Load()), zap.Int64("failures", t.failures.Load()), zap.Int64("bytes", t.bytes.Load()),
				zap.Int64("records", t.records.Load()), zap.Duration("lag", time.Duration(t.lag.Load()).Round(time.Second)),
				zap.Float64("objects_per_second", float64(t.objects.Load()-objects)/seconds),
				zap.Float64("bytes_per_second", float64(t.bytes.Load()-bytes)/seconds),
			}
			if position := t.position.Load(); position != nil {
				fields = append(fields, zap.Int64("listed", t.listed.Load()), zap.Int64("archived", t.archived.Load()), zap.String("position", *position))
			}
			c.set.Logger.Info("Progress", fields...)
			objects, bytes, listed, last = t.objects.Load(), t.bytes.Load(), t.listed.Load(), now
		}
	}
}

// status tells the collector of changes between working and failing. It is safe for concurrent use.
type status struct {
	mu      sync.Mutex
	host    component.Host
	failing bool
}

func (s *status) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.failing && s.host != nil {
		componentstatus.ReportStatus(s.host, componentstatus.NewRecoverableErrorEvent(err))
	}
	s.failing = true
}

func (s *status) works() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing && s.host != nil {
		componentstatus.ReportStatus(s.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
	s.failing = false
}

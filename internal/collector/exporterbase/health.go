package exporterbase

import (
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"
)

// warnEvery is how often a failure that lasts is logged at warn.
const warnEvery = time.Minute

// Health tells the Collector and the operator whether the destination takes records, and decides during a shutdown for how long a
// destination that fails is still tried. It is safe for concurrent use once the exporter has started.
type Health struct {
	host   component.Host
	logger *zap.Logger
	remedy func(error) string

	mu       sync.Mutex
	patience time.Duration
	failing  bool      // what was reported last
	reason   string    // the remedy that was reported with it
	warned   time.Time // when a failure was logged last
	stopped  time.Time // when the shutdown began; zero before
}

// Report is for deliveries that no request is behind, such as a test message.
func (h *Health) Report(err error) { h.report(err) }

// report tells the Collector's status when it changes, or when a failure has another remedy. A failure is never reported as
// permanent: whatever it is, records wait until somebody corrects it, and a permanent status could not be taken back.
func (h *Health) report(err error) {
	reason := ""
	if err != nil {
		reason = h.remedy(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	isNew := (err != nil) != h.failing || reason != h.reason
	if now := time.Now(); err != nil && (isNew || now.Sub(h.warned) >= warnEvery) {
		h.logger.Warn("Records are not delivered; they are tried again", zap.Error(err))
		h.warned = now
	}
	if !isNew {
		return
	}
	if err == nil {
		h.logger.Info("Records are delivered again")
	}
	h.failing, h.reason = err != nil, reason
	if err != nil {
		componentstatus.ReportStatus(h.host, componentstatus.NewRecoverableErrorEvent(err))
	} else {
		componentstatus.ReportStatus(h.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// SetPatience is how long after the beginning of a shutdown a destination that fails is still tried.
func (h *Health) SetPatience(patience time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.patience = patience
}

// stopping begins the shutdown.
func (h *Health) stopping() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = time.Now()
}

// ending reports that the shutdown has begun and a destination that fails is still tried.
func (h *Health) ending() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.stopped.IsZero() && time.Since(h.stopped) <= h.patience
}

var errStopping = errors.New("the destination is away and the collector ends: what is in a stored queue is sent after the next start, what is in memory is lost")

// givenUp reports that the shutdown does not wait for the destination any more: with thousands of batches of which each waits for
// its timeout the process would be killed, and a queue in memory is lost either way.
func (h *Health) givenUp() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failing && h.patience > 0 && !h.stopped.IsZero() && time.Since(h.stopped) > h.patience
}

package panopticas3exporter

import (
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
)

// health tells the Collector whether the store works, and during a shutdown decides for how long one that does not is still tried.
// It is safe for concurrent use once host is set.
type health struct {
	host     component.Host
	patience time.Duration

	mu      sync.Mutex
	failing bool      // what was reported last
	reason  string    // with it
	stopped time.Time // when the end began; zero before
}

// report tells the collector's health when it changes, or when there is another reason for it. A failure is never reported
// as permanent: whatever it is, records wait for somebody to mend it, and a permanent one could not be taken back.
func (h *health) report(err error) {
	reason := ""
	var store *objectstore.Error
	if errors.As(err, &store) {
		reason = store.Hint
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if (err != nil) == h.failing && reason == h.reason {
		return
	}
	h.failing, h.reason = err != nil, reason
	if err != nil {
		componentstatus.ReportStatus(h.host, componentstatus.NewRecoverableErrorEvent(err))
	} else {
		componentstatus.ReportStatus(h.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// stopping begins the end.
func (h *health) stopping() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = time.Now()
}

// patience is how long after the beginning of the end a store that fails is still tried: with the try that is under way
// some 40 s in all, within the 90 s that systemd gives.
const patience = 10 * time.Second

// ending reports that the end has begun and a store that fails is still tried.
func (h *health) ending() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.stopped.IsZero() && time.Since(h.stopped) <= h.patience
}

var errStopping = errors.New("the store is away and the collector ends: what is in a stored queue is sent after the next start, what is in memory is lost")

// givenUp reports that the end is not to wait for the store any more: with thousands of batches of which each waits for its
// timeout the process would be killed, and a queue in memory is lost either way.
func (h *health) givenUp() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failing && !h.stopped.IsZero() && time.Since(h.stopped) > h.patience
}

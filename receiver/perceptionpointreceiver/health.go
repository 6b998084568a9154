package perceptionpointreceiver

import (
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// health joins what the streams say of themselves into the status of the component. Safe for concurrent use.
type health struct {
	host component.Host

	mu        sync.Mutex
	failing   map[string]error
	permanent bool // the Collector knows no way back from a permanent error
}

func newHealth(host component.Host) *health {
	return &health{host: host, failing: make(map[string]error)}
}

// ok says that a stream works again.
func (h *health) ok(stream string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failing[stream] == nil {
		return
	}
	delete(h.failing, stream)
	if len(h.failing) == 0 && !h.permanent {
		componentstatus.ReportStatus(h.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// failed says that a stream waits for something that may get better by itself.
func (h *health) failed(stream string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failing[stream] = err
	if !h.permanent {
		componentstatus.ReportStatus(h.host, componentstatus.NewRecoverableErrorEvent(err))
	}
}

// stuck says that a stream needs somebody who does something.
func (h *health) stuck(stream string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failing[stream] = err
	h.permanent = true
	componentstatus.ReportStatus(h.host, componentstatus.NewPermanentErrorEvent(err))
}

package findingstateprocessor

import (
	"sync"

	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/screen"
)

// front is what is known of the siem processor in front: it must not keep back what the state is to remember. The zero value
// knows nothing.
type front struct{ findings, scans sync.Once }

// check says what to set, once: it is the same for every batch. scans says that ends of scans matter.
func (f *front) check(kept screen.Kept, scans bool, log *zap.Logger) {
	if kept == (screen.Kept{}) {
		return
	}
	if kept.Exclude != (screen.Exclude{}) || kept.Suppressed {
		f.findings.Do(func() {
			var keys []string
			for _, k := range [...]struct {
				kept bool
				key  string
			}{
				{kept.Dismissed, "exclude.dismissed: false"}, {kept.Snoozed, "exclude.snoozed: false"}, {kept.Resolved, "exclude.resolved: false"},
				{kept.Suppressed, "suppressions.on_match: mark"},
			} {
				if k.kept {
					keys = append(keys, k.key)
				}
			}
			log.Warn("The siem processor in front drops findings that this one must see to remember them, and takes for not seen; set there",
				zap.Strings("keys", keys))
		})
	}
	if kept.ScanEvents && scans {
		f.scans.Do(func() {
			log.Warn("The siem processor in front drops the ends of scans, without which none completes; set there", zap.Strings("keys", []string{"scan_events: pass"}))
		})
	}
}

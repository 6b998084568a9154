package findingstateprocessor

import (
	"sync"

	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/process"
)

// upstreamCheck warns, once, when the siem processor in front drops what the state has to remember. The zero value is ready; it is safe
// for concurrent use.
type upstreamCheck struct{ findings, scans sync.Once }

// check looks at what the siem processor says that it drops, the same for every batch, and logs which keys to set there. scans
// says that ends of scans matter.
func (u *upstreamCheck) check(dropped logrecord.UpstreamDrops, scans bool, log *zap.Logger) {
	if dropped == (logrecord.UpstreamDrops{}) {
		return
	}
	if dropped.Exclude != (process.Exclude{}) || dropped.Suppressed {
		u.findings.Do(func() {
			var keys []string
			for _, k := range [...]struct {
				dropped bool
				key     string
			}{
				{dropped.Dismissed, "exclude::dismissed: false"}, {dropped.Snoozed, "exclude::snoozed: false"}, {dropped.Resolved, "exclude::resolved: false"},
				{dropped.Suppressed, "suppressions::on_match: mark"},
			} {
				if k.dropped {
					keys = append(keys, k.key)
				}
			}
			log.Warn("The siem processor in front drops findings that this one has to remember, and will report as not seen; set these keys there",
				zap.Strings("keys", keys))
		})
	}
	if dropped.ScanEvents && scans {
		u.scans.Do(func() {
			log.Warn("The siem processor in front drops the ends of scans, without which none completes; set these keys there", zap.Strings("keys", []string{"scan_events: pass"}))
		})
	}
}

package siemprocessor

import (
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
)

// reasonScanEvent is why the end of a scan envelope is dropped: only a finding_state processor has a use for it.
const reasonScanEvent = "scan_event"

// scanEventsPass is the value of the key scan_events that is no default.
const scanEventsPass = "pass"

// scanEvent takes events that say how far a scan is: the ends of envelopes, as the findings receiver writes them, and those
// that come on their own. With scan_events ignore the first are dropped, and the second are parsed like any record.
func (p *siem) scanEvent(lr plog.LogRecord, raw string) (taken, drop bool) {
	eventType, ok := lr.Attributes().Get(record.AttrEventType)
	ofReceiver := ok && eventType.Str() == record.Scan
	pass := p.cfg.ScanEvents == scanEventsPass
	if !ofReceiver && !pass {
		return false, false
	}
	id, status, ok := format.ReadScanEvent(raw)
	if !ok {
		return false, false // the attribute is only believed where the body is an event
	}
	if !pass {
		return true, true
	}
	attrs := lr.Attributes()
	attrs.PutStr(record.AttrEventType, record.Scan)
	attrs.PutStr(record.AttrScanID, id)
	if status != "" {
		attrs.PutStr(record.AttrScanStatus, status)
	}
	lr.Body().SetStr(raw)
	return true, false
}

// writeScanEnd adds the event that a scan envelope which came as one body has ended, where events pass, and returns how many
// it added.
func (p *siem) writeScanEnd(b *batch, item *payload.Item, received time.Time) int {
	if p.cfg.ScanEvents != scanEventsPass {
		return 0
	}
	logrecord.WriteScanEnd(item, received, b.more.AppendEmpty())
	b.rec = record.Record{}
	b.counts.add(&b.rec, "", "")
	return 1
}

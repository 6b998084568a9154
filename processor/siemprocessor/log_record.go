package siemprocessor

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/record"
)

// readText sets b.text to what a log record says.
func (b *batch) readText(lr plog.LogRecord) {
	t := &b.text
	*t = process.Text{}
	t.Received = b.now
	if ts := lr.ObservedTimestamp(); ts != 0 && record.Representable(ts.AsTime()) {
		t.Received = ts.AsTime()
	}
	var eventType string
	for name, value := range lr.Attributes().All() {
		switch name {
		case record.AttrEventType:
			eventType = value.Str()
		case record.AttrFormat:
			t.Format = value.AsString()
		case record.AttrFields:
			t.Fields = value.AsString()
		case record.AttrOrigin:
			t.Origin = value.AsString()
		}
	}
	var err error
	if t.Raw, err = logrecord.Raw(lr); err != nil {
		t.Raw, t.Broken = lr.Body().AsString(), err.Error()
		return
	}
	switch {
	case eventType == record.Scan:
		t.ScanEvent = true
	case eventType == record.Invalid && b.readInvalid(lr, t.Raw):
		t.Known = &b.known
	default:
		t.Object = b.scans.Find(t.Raw)
	}
}

// readInvalid reads a record that a receiver found to be invalid: it could not be cut out of its payload, so there is nothing to
// parse. The attribute is only believed if the body looks like that of an invalid record.
func (b *batch) readInvalid(lr plog.LogRecord, raw string) bool {
	return format.IsInvalidBody(raw) && logrecord.Read(lr, &b.known) == nil
}

// write puts an outcome into the log record that it came from.
func (p *siem) write(out *process.Outcome, lr plog.LogRecord) {
	if out.IsScanEvent() {
		lr.Body().SetStr(out.Record.Body)
		lr.Attributes().PutStr(record.AttrEventType, record.Scan)
		logrecord.WriteScan(out.ScanID, out.ScanStatus, lr)
		return
	}
	logrecord.Write(&out.Record, lr)
	if out.Rule != "" {
		lr.Attributes().PutStr(record.AttrSuppressed, out.Rule)
	} else if p.cfg.Suppressions.OnMatch == onMatchMark {
		lr.Attributes().Remove(record.AttrSuppressed) // nobody else may say so
	}
	if p.cfg.Body == bodyMap {
		if err := logrecord.SetMapBody(lr); err != nil { // cannot be: the parser made the body
			p.logger.Error("Body left as a string", zap.Error(err))
		}
	}
}

// add puts an outcome into a log record of its own, which has the other attributes of the log record that it came from.
func (p *siem) add(b *batch, out *process.Outcome, from plog.LogRecord) {
	lr := b.added.AppendEmpty()
	if out.IsScanEvent() {
		logrecord.WriteScanEnd(out.ScanID, out.ScanStatus, out.Record.Received, lr)
		return
	}
	from.Attributes().CopyTo(lr.Attributes())
	lr.Attributes().Remove(record.AttrFields)
	p.write(out, lr)
	logrecord.WriteScan(out.ScanID, out.ScanStatus, lr)
}

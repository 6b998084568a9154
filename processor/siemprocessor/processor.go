package siemprocessor

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/collector/meter"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/process/suppress"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/processor/siemprocessor/internal/metadata"
)

// siem parses and filters batches of records. It is safe for concurrent use.
type siem struct {
	cfg       *Config
	id        component.ID
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	now       func() time.Time
	workers   sync.Pool // of *worker

	join *joiner       // nil without join_syslog
	next consumer.Logs // for lines whose scan did not come

	suppressions *suppress.File // nil when none are configured
	stop         context.CancelFunc
	stopped      sync.WaitGroup
}

// worker is the scratch that one batch needs.
type worker struct {
	parser   *format.Parser
	findings *format.Parser // makes findings of scans that may be joined first; nil unless scans are both
	screen   process.Screen
	rec      record.Record
}

func newWorker(cfg *Config) (*worker, error) {
	w := &worker{screen: cfg.screen()}
	opts := cfg.options()
	var err error
	if cfg.joins() && opts.ScansAsFindings { // what is joined are scans
		if w.findings, err = format.NewParser(opts); err != nil {
			return nil, err
		}
		opts.ScansAsFindings = false
	}
	w.parser, err = format.NewParser(opts)
	return w, err
}

func newSiem(set processor.Settings, cfg *Config, next consumer.Logs) (*siem, error) {
	telemetry, err := metadata.NewTelemetryBuilder(meter.Labeled(set.TelemetrySettings, component.KindProcessor, set.ID))
	if err != nil {
		return nil, err
	}
	first, err := newWorker(cfg)
	if err != nil {
		return nil, err
	}
	p := &siem{cfg: cfg, id: set.ID, logger: set.Logger, telemetry: telemetry, now: time.Now, next: next}
	p.workers.New = func() any {
		w, err := newWorker(cfg)
		if err != nil { // the same options made a worker above
			panic(err)
		}
		return w
	}
	p.workers.Put(first)
	if cfg.joins() {
		p.join = newJoiner(cfg.JoinWindow, cfg.JoinMaxBytes)
	}
	return p, nil
}

func (p *siem) start(ctx context.Context, host component.Host) error {
	run, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	if p.join != nil {
		if err := p.startJoin(ctx, host); err != nil {
			return err
		}
		p.stopped.Go(func() { p.expire(run) })
	}
	if p.cfg.Suppressions.File == "" {
		return nil
	}
	file, err := suppress.Open(p.cfg.Suppressions.File)
	if err != nil {
		return err
	}
	p.suppressions = file
	p.logSuppressions("Suppressions read")
	p.stopped.Go(func() { p.watch(run) })
	return nil
}

func (p *siem) shutdown(ctx context.Context) error {
	if p.stop != nil {
		p.stop()
		p.stopped.Wait()
	}
	err := p.stopJoin(ctx)
	p.telemetry.Shutdown()
	return err
}

// watch rereads the suppressions until ctx ends. It polls: a file that is mounted as a link to a directory that is
// swapped changes without an event on itself.
func (p *siem) watch(ctx context.Context) {
	ticker := time.NewTicker(p.cfg.Suppressions.ReloadInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.reload()
		}
	}
}

func (p *siem) reload() {
	changed, err := p.suppressions.Reload()
	switch {
	case err != nil:
		p.logger.Error("Suppressions not reread; the last good ones stay in force", zap.Error(err))
	case changed:
		p.logSuppressions("Suppressions changed")
	}
}

func (p *siem) logSuppressions(msg string) {
	list := p.suppressions.List()
	p.logger.Info(msg, zap.String("file", p.cfg.Suppressions.File), zap.Int("rules", list.Len()),
		zap.Strings("expired", list.Expired(p.now())))
}

// process parses every record of a batch in place and removes the dropped ones.
func (p *siem) process(ctx context.Context, logs plog.Logs) (plog.Logs, error) {
	w := p.workers.Get().(*worker)
	defer p.workers.Put(w)
	now := p.now()
	scans, done := logrecord.Borrow(ctx)
	defer done()
	var n counts
	logs.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			b := batch{worker: w, now: now, more: plog.NewLogRecordSlice(), counts: &n, scans: &scans, ctx: ctx, resource: rl, scope: sl, join: p.cfg.JoinSyslog}
			sl.LogRecords().RemoveIf(func(lr plog.LogRecord) bool {
				n.in++
				return !p.one(&b, lr)
			})
			b.more.MoveAndAppendTo(sl.LogRecords())
			p.countLines(ctx, outcomeRepaired, b.repaired)
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
	w.rec = record.Record{} // keeps no body alive
	n.report(ctx, p.telemetry)
	logrecord.KeepOnly(logs, int(n.in))
	if logs.ResourceLogs().Len() == 0 {
		return logs, processorhelper.ErrSkipProcessingData
	}
	return logs, nil
}

// batch is what the records of one scope share while they are parsed.
type batch struct {
	*worker
	now    time.Time
	more   plog.LogRecordSlice // records that are made beside those that came
	counts *counts
	scans  *format.ScanReader // what the receiver found out

	ctx      context.Context // of the batch
	resource plog.ResourceLogs
	scope    plog.ScopeLogs
	join     bool   // join scans and lines
	released bool   // lines have waited already
	repaired int    // lines
	rule     string // the suppression that holds for the worker's record
}

// one parses a record in place and reports whether it goes on.
func (p *siem) one(b *batch, lr plog.LogRecord) bool {
	received := b.now
	if ts := lr.ObservedTimestamp(); ts != 0 && record.Representable(ts.AsTime()) {
		received = ts.AsTime()
	}
	var findings []record.Record // made beside the record
	raw, err := logrecord.Raw(lr)
	if err == nil {
		if taken, drop := p.scanEvent(lr, raw); taken {
			b.rec = record.Record{}
			if drop {
				b.counts.add(&b.rec, reasonScanEvent, "")
				return false
			}
			b.counts.add(&b.rec, "", "")
			return true
		}
	}
	switch {
	case err != nil:
		b.rec = format.NewInvalid(lr.Body().AsString(), formatOf(lr, p.cfg.Format), err.Error(), received)
	case strings.TrimSpace(raw) == "":
		b.rec = record.Record{}
		b.counts.add(&b.rec, process.Empty, "")
		return false
	case p.alreadyInvalid(b.worker, lr, raw):
	default:
		in := format.Context{Format: formatOf(lr, ""), Fields: attr(lr, record.AttrFields), Origin: attr(lr, record.AttrOrigin), Received: received, Object: b.scans.Find(raw)}
		header, file := process.Parse(b.parser, raw, in, &b.rec)
		switch {
		case header:
			b.rec = record.Record{}
			b.counts.add(&b.rec, process.Header, "")
			return false
		case file && p.takeApart(b, lr, raw, in):
			return false
		}
		findings = b.parser.Findings()
		lr.Attributes().Remove(record.AttrFields)
	}
	if b.join && p.joinRecord(b, lr) {
		return false
	}
	goesOn := p.write(b, lr)
	for _, b.rec = range findings {
		p.writeMore(b, lr)
	}
	return goesOn
}

// takeApart parses the records of a file that came as one body and reports whether raw is one. They stand in the place of lr.
func (p *siem) takeApart(b *batch, lr plog.LogRecord, raw string, in format.Context) bool {
	var origin func(int64) string
	if in.Origin != "" {
		origin = func(offset int64) string { return logrecord.Origin(in.Origin, offset) }
	}
	events := 0
	n, file := process.Apart(b.parser, raw, in, p.cfg.Format, origin, func(item *payload.Item, rec *record.Record) {
		if rec == nil {
			events += p.writeScanEnd(b, item, in.Received)
			return
		}
		b.rec = *rec
		if made, ok := p.writeMore(b, lr); ok {
			logrecord.WriteScan(item, made)
		}
	})
	if file && n+events == 0 {
		b.rec = record.Record{}
		b.counts.add(&b.rec, process.Empty, "")
	}
	return file
}

// writeMore adds b.rec as a record of its own that has lr's other attributes, unless it is dropped.
func (p *siem) writeMore(b *batch, lr plog.LogRecord) (made plog.LogRecord, ok bool) {
	if !p.goesOn(b) {
		return made, false
	}
	made = b.more.AppendEmpty()
	lr.Attributes().CopyTo(made.Attributes())
	made.Attributes().Remove(record.AttrFields)
	p.put(b, made)
	return made, true
}

// write puts b.rec into lr and reports whether it goes on.
func (p *siem) write(b *batch, lr plog.LogRecord) bool {
	if !p.goesOn(b) {
		return false
	}
	p.put(b, lr)
	return true
}

// goesOn makes a finding of a joined scan where findings are wanted, and counts whether b.rec goes on.
func (p *siem) goesOn(b *batch) bool {
	if b.findings != nil && format.IsScan(b.rec.Format) && b.rec.EventType != record.Invalid {
		b.findings.Parse(b.rec.Body, b.rec.Format, b.rec.Received, &b.rec)
	}
	var reason string
	reason, b.rule = b.screen.Drops(&b.rec, p.suppressions.List(), b.now)
	b.counts.add(&b.rec, reason, b.rule)
	return reason == ""
}

func (p *siem) put(b *batch, lr plog.LogRecord) {
	logrecord.Write(&b.rec, lr)
	if b.rule != "" {
		lr.Attributes().PutStr(record.AttrSuppressed, b.rule)
	} else if b.screen.MarkSuppressed {
		lr.Attributes().Remove(record.AttrSuppressed)
	}
	if p.cfg.Body == bodyMap {
		if err := logrecord.SetMapBody(lr); err != nil { // cannot be: the parser made the body
			p.logger.Error("Body left as a string", zap.Error(err))
		}
	}
}

// alreadyInvalid reads a record that a receiver found to be invalid: it could not be cut out of its payload, so there
// is nothing to parse. The attribute is only believed where the body is what an invalid record looks like.
func (p *siem) alreadyInvalid(w *worker, lr plog.LogRecord, raw string) bool {
	eventType, ok := lr.Attributes().Get(record.AttrEventType)
	if !ok || eventType.Str() != record.Invalid || !format.IsInvalidBody(raw) {
		return false
	}
	return logrecord.Read(lr, &w.rec) == nil
}

// attr is the text of an attribute, "" when it is not there.
func attr(lr plog.LogRecord, name string) string {
	if value, ok := lr.Attributes().Get(name); ok {
		return value.AsString()
	}
	return ""
}

func formatOf(lr plog.LogRecord, otherwise string) string {
	if value, ok := lr.Attributes().Get(record.AttrFormat); ok {
		return value.AsString()
	}
	return otherwise
}

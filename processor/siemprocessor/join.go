package siemprocessor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/otelrecord"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/source"
)

// Outcomes of a damaged line; values of the outcome attribute, listed in metadata.yaml.
const (
	outcomeRepaired = "repaired"
	outcomeWaiting  = "waiting"
	outcomeJoined   = "joined"
	outcomeExpired  = "expired"
	outcomePassed   = "passed"
)

// overhead is about what an entry costs beside its texts, in bytes.
const overhead = 256

// maxLinesOfScan bounds how many different lines wait for one scan. There is one unless somebody makes them up.
const maxLinesOfScan = 4

// joiner joins damaged syslog lines to API scans of the same Scan ID, whichever comes first, within a window and a bound of
// memory. Safe for concurrent use.
//
// A scan never waits: what it says of a line is remembered for the window. A line waits only where it is stored before its sender
// hears that it was taken, so that a collector that is killed loses none: it waits on after the start. Without storage it goes
// on at once, damaged as it is, and only what it was is remembered, to mark the scan that comes later.
type joiner struct {
	window time.Duration
	max    int
	store  *lineStore // nil: nothing waits

	mu    sync.Mutex
	bytes int
	scans map[string]rememberedScan
	order []scanAge // oldest first; entries that scans does not know with the same age are stale
	lines map[string][]*line
	ages  []*line // by deadline; gone ones are skipped
}

type rememberedScan struct {
	pairs string // the members that a line has too
	age   time.Time
}

type scanAge struct {
	key string
	age time.Time
}

// line is a damaged line that waits, or went on and is remembered.
type line struct {
	key      string
	damage   []string
	text     string
	deadline time.Time

	waits bool
	slot  int       // in the store
	logs  plog.Logs // the record that waits, as it came
	gone  bool      // settled, or forgotten
	taken int       // 1 while a batch is under way that carries it
}

func (l *line) size() int { return overhead + len(l.key) + 3*len(l.text) } // text, and the record with it and attributes

func newJoiner(window time.Duration, max int) *joiner {
	return &joiner{window: window, max: max, scans: make(map[string]rememberedScan), lines: make(map[string][]*line)}
}

// scan remembers an API scan and returns the lines that it was waited for with; settle must be told what became of them.
func (j *joiner) scan(key, pairs string, now time.Time) []*line {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget(now)
	if old, ok := j.scans[key]; ok {
		j.bytes -= overhead + len(key) + len(old.pairs)
		delete(j.scans, key)
	}
	if size := overhead + len(key) + len(pairs); j.room(size) {
		j.scans[key] = rememberedScan{pairs: pairs, age: now}
		j.order = append(j.order, scanAge{key: key, age: now})
		j.bytes += size
	}
	var lines []*line
	for _, l := range j.lines[key] {
		if l.taken == 0 {
			l.taken++
			lines = append(lines, l)
		}
	}
	return lines
}

// pairs are those of a scan that came before.
func (j *joiner) pairs(key string, now time.Time) (string, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s, ok := j.scans[key]
	return s.pairs, ok && now.Sub(s.age) <= j.window
}

// wait takes a line in. It reports whether the line waits; one that does not goes on at once.
func (j *joiner) wait(ctx context.Context, l *line, now time.Time) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget(now)
	for _, other := range j.lines[l.key] {
		if other.text == l.text {
			return other.waits, nil // a batch that was refused comes again, and so do datagrams
		}
	}
	if len(j.lines[l.key]) >= maxLinesOfScan || !j.room(l.size()) {
		return false, nil
	}
	l.deadline = now.Add(j.window)
	var err error
	if j.store != nil {
		if l.slot, err = j.store.put(ctx, l); err == nil {
			l.waits = true
		}
	}
	if !l.waits {
		l.logs = plog.Logs{}
	}
	j.add(l)
	return l.waits, err
}

func (j *joiner) add(l *line) {
	j.lines[l.key] = append(j.lines[l.key], l)
	j.ages = append(j.ages, l)
	j.bytes += l.size()
}

// room makes place for an entry by forgetting the oldest scans, and reports whether there is any. What waits is never
// forgotten.
func (j *joiner) room(size int) bool {
	for j.bytes+size > j.max && len(j.order) > 0 {
		j.dropScan(j.order[0])
		j.order = j.order[1:]
	}
	return j.bytes+size <= j.max
}

func (j *joiner) dropScan(a scanAge) {
	if s, ok := j.scans[a.key]; ok && s.age.Equal(a.age) {
		j.bytes -= overhead + len(a.key) + len(s.pairs)
		delete(j.scans, a.key)
	}
}

// forget drops the scans, and the lines that went on, whose window has passed.
func (j *joiner) forget(now time.Time) {
	for len(j.order) > 0 && now.Sub(j.order[0].age) > j.window {
		j.dropScan(j.order[0])
		j.order = j.order[1:]
	}
	for len(j.ages) > 0 {
		l := j.ages[0]
		if !l.gone && (l.waits || !now.After(l.deadline)) {
			break
		}
		j.drop(l)
		j.ages = j.ages[1:]
	}
}

// drop forgets a line.
func (j *joiner) drop(l *line) {
	if l.gone {
		return
	}
	l.gone = true
	j.bytes -= l.size()
	rest := slices.DeleteFunc(j.lines[l.key], func(other *line) bool { return other == l })
	if len(rest) == 0 {
		delete(j.lines, l.key)
	} else {
		j.lines[l.key] = rest
	}
}

// settle ends what scan began: the lines are part of records that the next component has, or has refused. It returns how many
// waiting lines are joined now.
func (j *joiner) settle(ctx context.Context, lines []*line, accepted bool) (joined int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var slots []int
	for _, l := range lines {
		l.taken--
		if !accepted || l.gone {
			continue
		}
		if l.waits {
			slots = append(slots, l.slot)
			joined++
		}
		j.drop(l)
	}
	if len(slots) > 0 {
		err = j.store.remove(ctx, slots)
	}
	return joined, err
}

// due are the waiting lines whose window has passed, or with all every one, and that no batch carries; at most max.
func (j *joiner) due(now time.Time, all bool, max int) (due []*line) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.ages {
		if len(due) == max || !all && !now.After(l.deadline) {
			break
		}
		if l.waits && !l.gone && l.taken == 0 {
			l.taken++
			due = append(due, l)
		}
	}
	return due
}

// joinBatch collects what one batch settles.
type joinBatch struct{ lines []*line }

type joinBatchKey struct{}

// joining is the processor with join_syslog: it learns whether the next component took a batch.
type joining struct {
	processor.Logs
	siem *siem
}

// ConsumeLogs settles the lines that the batch's scans carry by whether the batch was taken.
func (p *joining) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	batch := &joinBatch{}
	err := p.Logs.ConsumeLogs(context.WithValue(ctx, joinBatchKey{}, batch), logs)
	p.siem.settle(ctx, batch.lines, err == nil, outcomeJoined)
	return err
}

// joinRecord joins the record of the batch, if it is a scan or a damaged line. It reports whether the record waits.
func (p *siem) joinRecord(b *batch, lr plog.LogRecord) (waits bool) {
	ctx, w := b.ctx, b.worker
	if pairs := source.ScanPairs(&w.rec); pairs != "" {
		lines := p.join.scan(source.JoinKey(w.rec.ID), pairs, b.now)
		if len(lines) == 0 {
			return false
		}
		l := lines[len(lines)-1]
		w.parser.Parse(source.JoinedScan(w.rec.Body, l.damage, l.text), w.rec.Format, w.rec.Received, &w.rec)
		if batch, ok := ctx.Value(joinBatchKey{}).(*joinBatch); ok {
			batch.lines = append(batch.lines, lines...)
		}
		return false
	}
	damage, text := source.Damage(&w.rec)
	if len(damage) == 0 {
		return false
	}
	key := source.JoinKey(w.rec.ID)
	if pairs, ok := p.join.pairs(key, b.now); ok {
		w.parser.Parse(source.RepairedLine(pairs, damage, text), w.rec.Format, w.rec.Received, &w.rec)
		p.countLines(ctx, outcomeRepaired, 1)
		return false
	}
	l := &line{key: key, damage: damage, text: text}
	if p.join.store != nil {
		l.logs = b.alone(lr)
	}
	waits, err := p.join.wait(ctx, l, b.now)
	if err != nil {
		p.logger.Error("A damaged line cannot be stored; it goes on at once", zap.Error(err))
	}
	if waits {
		p.countLines(ctx, outcomeWaiting, 1)
	} else {
		p.countLines(ctx, outcomePassed, 1)
	}
	return waits
}

// alone is a record of the batch as it came, with what belongs to it.
func (b *batch) alone(lr plog.LogRecord) plog.Logs {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	b.resource.Resource().CopyTo(rl.Resource())
	rl.SetSchemaUrl(b.resource.SchemaUrl())
	sl := rl.ScopeLogs().AppendEmpty()
	b.scope.Scope().CopyTo(sl.Scope())
	sl.SetSchemaUrl(b.scope.SchemaUrl())
	lr.CopyTo(sl.LogRecords().AppendEmpty())
	sl.LogRecords().At(0).SetObservedTimestamp(pcommon.NewTimestampFromTime(b.rec.Received))
	return logs
}

// Bounds of handing on lines whose scan did not come.
const (
	releaseBatch    = 500
	releaseInterval = time.Second
)

// release hands on the waiting lines that are due, or all of them, and reports the error of the next component.
func (p *siem) release(ctx context.Context, all bool) error {
	for {
		due := p.join.due(p.now(), all, releaseBatch)
		if len(due) == 0 {
			return nil
		}
		w := p.workers.Get().(*worker)
		out := plog.NewLogs()
		var n counts
		b := batch{worker: w, now: p.now(), more: plog.NewLogRecordSlice(), counts: &n}
		for _, l := range due {
			logs := plog.NewLogs()
			l.logs.CopyTo(logs) // a refused batch may have been changed on the way
			lr := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			if p.one(&b, lr) {
				logs.ResourceLogs().MoveAndAppendTo(out.ResourceLogs())
			}
		}
		w.rec = record.Record{}
		p.workers.Put(w)
		var err error
		if out.LogRecordCount() > 0 {
			err = p.next.ConsumeLogs(ctx, out)
		}
		if err == nil {
			n.report(ctx, p.telemetry)
		}
		p.settle(ctx, due, err == nil, outcomeExpired)
		if err != nil {
			return err
		}
	}
}

// settle ends the wait of lines and counts them.
func (p *siem) settle(ctx context.Context, lines []*line, accepted bool, outcome string) {
	if len(lines) == 0 {
		return
	}
	n, err := p.join.settle(context.WithoutCancel(ctx), lines, accepted)
	if err != nil {
		p.logger.Error("Lines that are done stay stored; after a restart they come out again", zap.Error(err))
	}
	p.countLines(ctx, outcome, n)
	if n > 0 && outcome == outcomeJoined { // they are part of their scans now
		p.telemetry.ProcessorSiemRecordsDropped.Add(ctx, int64(n), metric.WithAttributes(attribute.String("reason", outcomeJoined)))
	}
}

// expire hands on what is due until ctx ends.
func (p *siem) expire(ctx context.Context) {
	interval := min(releaseInterval, max(p.cfg.JoinWindow/10, time.Millisecond))
	refusedInterval := 10 * interval
	refused := false
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := p.release(ctx, false); err != nil && ctx.Err() == nil {
				p.logger.Warn("Lines whose scan did not come are refused; trying again", zap.Error(err), zap.Duration("wait", refusedInterval))
				ticker.Reset(refusedInterval)
				refused = true
			} else if refused {
				ticker.Reset(interval)
				refused = false
			}
		}
	}
}

// startJoin opens the storage and lets what waited before wait on.
func (p *siem) startJoin(ctx context.Context, host component.Host) error {
	if p.cfg.JoinStorage == nil {
		return nil
	}
	store, err := openLineStore(ctx, host, *p.cfg.JoinStorage, p.id)
	if err != nil {
		return err
	}
	lines, torn, err := store.load(ctx)
	if err != nil {
		return errors.Join(err, store.client.Close(ctx))
	}
	if torn > 0 {
		p.logger.Error("Lines that waited for their scans cannot be read any more", zap.Int("lines", torn))
	}
	p.join.store = store
	w := p.workers.Get().(*worker)
	defer p.workers.Put(w)
	slices.SortFunc(lines, func(a, b *line) int { return a.deadline.Compare(b.deadline) })
	latest := p.now().Add(p.cfg.JoinWindow) // a clock that was ahead must not keep a line for longer
	for _, l := range lines {
		lr := l.logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		if raw, err := otelrecord.Raw(lr); err == nil {
			w.parser.Parse(raw, formatOf(lr, ""), lr.ObservedTimestamp().AsTime(), &w.rec)
			l.damage, l.text = source.Damage(&w.rec)
			l.key = source.JoinKey(w.rec.ID)
		}
		if l.deadline.After(latest) {
			l.deadline = latest
		}
		p.join.add(l)
	}
	w.rec = record.Record{}
	if len(lines) > 0 {
		p.logger.Info("Damaged lines wait on for their scans", zap.Int("lines", len(lines)))
	}
	return nil
}

// stopJoin hands on what still waits: nobody would, should join_syslog be gone after the next start. What the next component
// refuses stays stored.
func (p *siem) stopJoin(ctx context.Context) error {
	if p.join == nil || p.join.store == nil {
		return nil
	}
	if err := p.release(ctx, true); err != nil {
		p.logger.Warn("Damaged lines stay stored until the next start", zap.Error(err))
	}
	return p.join.store.client.Close(ctx)
}

func (p *siem) countLines(ctx context.Context, outcome string, n int) {
	if n > 0 {
		p.telemetry.ProcessorSiemLines.Add(ctx, int64(n), metric.WithAttributes(attribute.String("outcome", outcome)))
	}
}

package siemprocessor

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/format"
)

// restoreLines opens the storage and lets the lines in it wait further.
func (p *siem) restoreLines(ctx context.Context, host component.Host) error {
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
	p.joiner.store = store
	w := p.workers.Get().(*worker)
	defer p.workers.Put(w)
	defer w.release()
	b := p.newBatch(ctx, w)
	slices.SortFunc(lines, func(a, b *line) int { return a.deadline.Compare(b.deadline) })
	for _, l := range lines {
		b.readLine(l)
		// A clock that was ahead must not keep a line for longer, nor one that is set back later.
		l.deadline = b.now.Add(min(l.deadline.Sub(b.now), p.cfg.JoinWindow))
		p.joiner.add(l)
	}
	if len(lines) > 0 {
		p.logger.Info("Damaged lines wait on for their scans", zap.Int("lines", len(lines)))
	}
	return nil
}

// readLine parses a stored line, to know its scan and what is wrong with it.
func (b *batch) readLine(l *line) {
	b.readText(recordOf(l.logs))
	b.processor.Start(&b.text)
	rec := &b.processor.Next().Record
	l.damage, l.text = format.Damage(rec)
	l.key = format.JoinKey(rec.ID)
}

// releaseAll forwards the waiting lines on shutdown, because a restart without join_syslog would orphan them. What the next
// component refuses stays stored.
func (p *siem) releaseAll(ctx context.Context) error {
	if p.joiner == nil || p.joiner.store == nil {
		return nil
	}
	if err := p.release(ctx, true); err != nil {
		p.logger.Warn("Damaged lines stay stored until the next start", zap.Error(err))
	}
	return p.joiner.store.client.Close(ctx)
}

package siemprocessor

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/process/suppress"
)

// startSuppressions reads the suppressions file, and rereads it until ctx ends.
func (p *siem) startSuppressions(ctx context.Context) error {
	if p.cfg.Suppressions.File == "" {
		return nil
	}
	file, err := suppress.Open(p.cfg.Suppressions.File)
	if err != nil {
		return err
	}
	p.suppressions = file
	p.logSuppressions("Suppressions read")
	p.stopped.Go(func() { p.watchSuppressions(ctx) })
	return nil
}

// watchSuppressions polls: a file that is mounted as a link to a directory that is swapped changes without an event on itself.
func (p *siem) watchSuppressions(ctx context.Context) {
	ticker := time.NewTicker(p.cfg.Suppressions.ReloadInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.rereadSuppressions()
		}
	}
}

func (p *siem) rereadSuppressions() {
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

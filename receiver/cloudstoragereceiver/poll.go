package cloudstoragereceiver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/backoff"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

const (
	// maxFailed is how many objects may wait to be tried again; more of them are no accident of single objects.
	maxFailed = 1000
	// firstPollBackoff is the wait after a listing that failed; it doubles up to a minute.
	firstPollBackoff = time.Second
	maxPollBackoff   = time.Minute
)

// poller finds objects by listing.
type poller struct {
	c   *cloudStorage
	cfg PollConfig
}

// run lists again and again until ctx ends.
func (p *poller) run(ctx context.Context) {
	failures := backoff.Backoff{First: firstPollBackoff, Max: maxPollBackoff}
	for ctx.Err() == nil {
		pause := p.cfg.Interval
		if err := p.list(ctx); err != nil && ctx.Err() == nil {
			pause = failures.Next()
			p.c.status.failed(err)
			p.c.set.Logger.Warn("Listing interrupted; it goes on from its checkpoint", zap.Error(err), zap.Duration("in", pause))
		} else {
			failures.Reset()
			p.c.status.works()
		}
		if backoff.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// list goes through the bucket once, from where it was interrupted. Its error is about all objects.
func (p *poller) list(ctx context.Context) error {
	s := p.c.state
	token, since := s.begin()
	if since.Before(p.cfg.StartTime) {
		since = p.cfg.StartTime
	}
	resumed := token != ""
	for {
		if err := p.retry(ctx); err != nil {
			return err
		}
		page, next, err := p.c.bucket.Page(ctx, p.c.cfg.prefix(), token)
		if err != nil {
			if resumed && bucket.KindOf(err) != bucket.Unavailable {
				s.restart()
			}
			return err
		}
		resumed = false
		if err := p.page(ctx, page, since); err != nil {
			return err
		}
		p.c.totals.listed.Add(int64(len(page)))
		if len(page) > 0 {
			p.c.totals.position.Store(&page[len(page)-1].Key)
		}
		s.endPage(next, p.cfg.Overlap)
		if next == "" {
			p.c.totals.listings.Add(1)
			return nil
		}
		token = next
	}
}

// page reads what is new of a page, several objects at once, to its last.
func (p *poller) page(ctx context.Context, page []bucket.Object, since time.Time) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	slots := make(chan struct{}, p.c.cfg.Concurrency)
	var readers sync.WaitGroup
	defer readers.Wait()
	for i := range page {
		o := &page[i]
		if o.Modified.Before(since) || !p.c.wanted(*o) || p.c.state.isDone(o) {
			continue
		}
		if o.Archived { // there may be millions, and no try reads them
			p.c.countObject(ctx, outcome(bucket.Archived))
			p.c.totals.archived.Add(1)
			p.c.state.markDone(o, p.cfg.Overlap)
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		readers.Go(func() {
			defer func() { <-slots }()
			if err := p.readObject(ctx, o); err != nil {
				stop(err)
			}
		})
	}
	readers.Wait()
	return context.Cause(ctx)
}

// readObject reads an object. Its error is about all objects.
func (p *poller) readObject(ctx context.Context, o *bucket.Object) error {
	s := p.c.state
	torn, err := p.c.read(ctx, *o, readMode{listedAgain: true, stableBefore: s.now().Add(-p.cfg.Overlap)})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		if !torn {
			s.markDone(o, p.cfg.Overlap)
		}
		return nil
	case !p.c.concernsOneObject(err):
		return err
	}
	tries := s.fail(o, p.c.retryDelay)
	fields := []zap.Field{zap.String("object", p.c.bucket.URL(*o)), zap.Int("tries", tries), zap.Error(err)}
	if tries < p.c.cfg.MaxTries {
		p.c.set.Logger.Warn("Object not read; it is tried again", fields...)
		if n := s.failedCount(); n > maxFailed {
			return fmt.Errorf("%d objects cannot be read, the last: %w", n, err)
		}
		return nil
	}
	if err := p.c.giveUp(ctx, p.c.bucket.URL(*o), fmt.Errorf("given up after %d tries: %w", tries, err)); err != nil {
		return err
	}
	p.c.set.Logger.Error("Object given up; it went on as an invalid record", fields...)
	s.markDone(o, p.cfg.Overlap)
	return nil
}

// retry tries failed objects again whose time has come.
func (p *poller) retry(ctx context.Context) error {
	due := p.c.state.due()
	for i := range due {
		if err := p.readObject(ctx, &due[i]); err != nil {
			return err
		}
	}
	return nil
}

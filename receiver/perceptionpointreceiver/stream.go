package perceptionpointreceiver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/backoff"
)

const (
	// lateness is how far a poll reaches back when it does not list all of the overlap: a scan may be listed some time after
	// its creation.
	lateness = 2 * time.Minute
	// maxClockError is how far the place in the list may lie ahead of the clock before it is taken for wrong.
	maxClockError = time.Minute
	// maxGrowth bounds a window that grows over a time without scans, so that years without any are a few hundred requests.
	maxGrowth = 30 * 24 * time.Hour
	// refusedWait is how often a refused token is tried again while nothing about it changes.
	refusedWait = 15 * time.Minute
	// badPageTries is how often a page that cannot be read is asked for before its window begins again.
	badPageTries = 4
	// maxEmptyPages is how many pages without a scan one behind the other are taken for a list without end.
	maxEmptyPages = 100
)

// stream lists one kind of records from a place on, delivers them, and remembers where it is. It belongs to one goroutine.
type stream struct {
	name          string // scans or audit_events
	path          string
	format        string // siem.format of its records
	cfg           *Config
	query         url.Values
	client        *client
	clock         *clock
	health        *health
	logger        *zap.Logger
	metrics       *metrics
	deliverer     *deliverer
	store         checkpoint
	memory        *memory
	fingerprinter *fingerprinter
	state         state
	failures      backoff.Backoff // of requests; each page that comes resets it
	progress      *progress       // nil without a backfill

	begun       bool // an answer told the time, if it tells it at all
	refusedWait time.Duration
}

// errRestart asks for the window to be listed from its first page again.
var errRestart = errors.New("the list begins again")

// errTooWide says that a window that grew over a time without scans holds more than one page: it may be a month of them.
var errTooWide = errors.New("the window is too wide")

// errDone says that a backfill is at its end.
var errDone = errors.New("backfill done")

// run polls until ctx ends or a backfill is done.
func (s *stream) run(ctx context.Context) {
	failures := s.cfg.Retry.backoff() // of listings, not of requests
	for {
		err := s.poll(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errDone):
			return
		case err != nil:
			wait := failures.Jittered()
			s.logger.Error("List not finished; it begins again, and what is known already does not come out again", zap.Error(err), zap.Duration("wait", wait))
			s.health.failed(s.name, err)
			if backoff.Sleep(ctx, wait) != nil {
				return
			}
			continue
		}
		failures.Reset()
		if backoff.Sleep(ctx, s.cfg.Interval) != nil {
			return
		}
	}
}

// load reads where the stream was.
func (s *stream) load(ctx context.Context) error {
	st, found, torn, err := s.store.load(ctx, s.memory)
	if err != nil {
		return fmt.Errorf("%s: %w; remove the receiver's file from the storage to begin again", s.name, err)
	}
	if torn > 0 {
		s.logger.Warn("Part of what is known of scans is lost; some may come out again", zap.Int("blocks", torn))
	}
	if found {
		s.state = st
	}
	if want := s.backfillStart(); s.state.Backfill != want && want != 0 {
		if found {
			s.logger.Info("start_time is another than that of the stored place: beginning there", zap.Time("start_time", s.cfg.StartTime))
		}
		s.state.Backfill, s.state.Cursor, s.state.Window = want, want, nil
	}
	return nil
}

func (s *stream) backfillStart() int64 {
	if s.cfg.StartTime.IsZero() {
		return 0
	}
	return s.cfg.StartTime.Unix()
}

// poll lists everything from the stored place, or the overlap before it, to now.
func (s *stream) poll(ctx context.Context) error {
	if s.state.Window != nil { // interrupted
		if _, err := s.list(ctx, s.state.Window); err != nil {
			return err
		}
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	if now := s.clock.now(); now.Before(firstPlausible) {
		s.begun = false // ask again
		return fmt.Errorf("the clock says %s; set this host's, unless it is the API's", now.UTC().Format(time.RFC3339))
	} else if cursor := time.Unix(s.state.Cursor, 0); cursor.Sub(now) > maxClockError && s.state.Cursor != s.state.Backfill {
		s.logger.Warn("The stored place lies ahead of the clock, which was wrong before or is now; going back by initial_lookback",
			zap.Time("place", cursor.UTC()), zap.Time("now", now.UTC()))
		s.state.Cursor = now.Add(-s.cfg.InitialLookback).Unix()
	}

	until := s.clock.now().Unix() // what is made during the poll is for the next one
	if !s.cfg.EndTime.IsZero() {
		until = min(until, s.cfg.EndTime.Unix())
	}
	limit := func() int64 { return min(until, s.clock.now().Unix()) } // the first answer may tell that the clock was ahead
	from, recheck := s.from()
	length := int64(s.cfg.Window / time.Second)
	for first := true; (first || from < limit()) && !s.finished(); first = false {
		w := &window{Start: from, End: max(from, min(from+length, limit()))}
		n, err := s.list(ctx, w)
		if err != nil {
			return err
		}
		from = w.End
		length = int64(s.cfg.Window / time.Second)
		if n == 0 {
			length = max(length, min(2*(w.End-w.Start), int64(maxGrowth/time.Second)))
		}
	}
	if recheck {
		s.state.Rechecked = s.clock.now().Unix() // stored with the next page
	}
	s.progress.complete()
	if s.finished() {
		return errDone
	}
	return nil
}

// from is where a poll begins.
func (s *stream) from() (from int64, recheck bool) {
	if s.state.Backfill != 0 && s.state.Cursor == s.state.Backfill {
		return s.state.Cursor, true
	}
	now := s.clock.now().Unix()
	back := s.cfg.Overlap
	if s.cfg.RecheckInterval > 0 && now-s.state.Rechecked < int64(s.cfg.RecheckInterval/time.Second) && now >= s.state.Rechecked {
		back = min(back, lateness)
	} else {
		recheck = true
	}
	return max(s.state.Cursor-int64(back/time.Second), s.state.Backfill), recheck
}

// finished reports whether all of a backfill was listed.
func (s *stream) finished() bool {
	return !s.cfg.EndTime.IsZero() && s.state.Cursor >= s.cfg.EndTime.Unix()
}

// begin has an answer tell the API's clock before the first poll, and finds the first place of a stream that has none:
// initial_lookback before now.
func (s *stream) begin(ctx context.Context) error {
	if !s.begun {
		now := s.clock.now().Unix()
		if _, err := s.fetch(ctx, s.address(&window{Start: now, End: now})); err != nil {
			return err
		}
		s.begun = true
	}
	if s.state.Cursor == 0 && !s.clock.now().Before(firstPlausible) {
		s.state.Cursor = s.clock.now().Add(-s.cfg.InitialLookback).Unix()
	}
	return nil
}

// address is that of the first page of a window.
func (s *stream) address(w *window) string {
	q := make(url.Values, len(s.query)+2)
	for name, values := range s.query {
		q[name] = values
	}
	q.Set("start", strconv.FormatInt(w.Start, 10))
	q.Set("end", strconv.FormatInt(w.End, 10))
	u := *s.client.base
	u.Path = s.path
	u.RawQuery = q.Encode()
	return u.String()
}

// list lists a window to its end and counts the records that it has. A window that cannot be followed begins again once;
// then the error goes to run, which waits.
func (s *stream) list(ctx context.Context, w *window) (n int, err error) {
	s.state.Window = w
	n, err = s.follow(ctx, w)
	if errors.Is(err, errTooWide) {
		w.End = w.Start + int64(s.cfg.Window/time.Second)
		n, err = s.follow(ctx, w)
	}
	if errors.Is(err, errRestart) {
		s.logger.Warn("A page cannot be asked for any more; its list begins again", zap.Error(err))
		w.Next, w.Pages = "", 0
		n, err = s.follow(ctx, w)
	}
	if err != nil {
		if ctx.Err() == nil { // begin with the first page next time
			w.Next, w.Pages = "", 0
		}
		return n, err
	}
	s.state.Window = nil
	s.state.Cursor = max(s.state.Cursor, min(w.End, s.clock.now().Unix()))
	s.health.ok(s.name) // before save, which may say otherwise
	s.save(ctx, update{dropped: s.forget()})
	s.metrics.listed(ctx, s)
	s.progress.reached(s.state.Cursor)
	return n, nil
}

// forget lets go of scans that will not be listed again, and of the oldest when they are too many.
func (s *stream) forget() []*bucket {
	dropped, early := s.memory.expire(s.state.Cursor - int64(s.cfg.Overlap/time.Second))
	if early > 0 {
		s.logger.Warn("More scans than max_tracked_scans; the oldest are forgotten and may come out again", zap.Int("scans", early))
	}
	return dropped
}

// follow goes from page to page of a window.
func (s *stream) follow(ctx context.Context, w *window) (n int, err error) {
	address := w.Next
	if address == "" {
		address = s.address(w)
	}
	visited := make(map[[8]byte]bool) // addresses, by hash: a list of 100,000 pages takes a megabyte
	empty := 0
	for {
		visited[addressHash(address)] = true
		p, err := s.fetch(ctx, address)
		if err != nil {
			return n, err
		}
		if w.Pages == 0 && p.next != "" && time.Duration(w.End-w.Start)*time.Second > s.cfg.Window {
			return n, errTooWide
		}
		if err := s.deliverPage(ctx, w, p); err != nil {
			return n, err
		}
		n += len(p.results)
		if empty++; len(p.results) > 0 {
			empty = 0
		}
		switch {
		case p.nextErr != nil:
			return n, p.nextErr
		case p.next == "":
			return n, nil
		case visited[addressHash(p.next)]:
			return n, badPage("next leads back to a page of the same list")
		case empty >= maxEmptyPages:
			return n, badPage("%d pages one behind the other hold no scan", empty)
		case w.Pages >= s.cfg.MaxPages:
			return n, badPage("the list goes on behind max_pages, %d; make window shorter", s.cfg.MaxPages)
		}
		address = p.next
	}
}

func addressHash(address string) (h [8]byte) {
	sum := sha256.Sum256([]byte(address))
	copy(h[:], sum[:])
	return h
}

// deliverPage delivers what is new on a page. Once the pipeline has it, it remembers the scans and the next page.
func (s *stream) deliverPage(ctx context.Context, w *window, p page) error {
	fresh, seen := s.newOrChanged(p)
	if err := s.deliverer.deliver(ctx, s, fresh); err != nil {
		return err
	}
	added := make(map[*bucket][]fingerprint, 1)
	for _, now := range seen {
		b := s.memory.put(now, w.End)
		added[b] = append(added[b], now)
	}
	w.Next = p.next
	w.Pages++
	u := update{added: added}
	if s.memory.n > s.memory.max {
		u.dropped = s.forget()
	}
	s.save(ctx, u)
	return nil
}

// newOrChanged leaves out scans that came before and did not change. seen are the fingerprints of those that it returns.
func (s *stream) newOrChanged(p page) (fresh []string, seen []fingerprint) {
	var known, changed int64
	here := make(map[uint64]fingerprint, len(p.results)) // of this page
	for _, raw := range p.results {
		now := s.fingerprinter.fingerprint(string(raw))
		before, ok := here[now.id]
		if !ok {
			before, ok = s.memory.get(now.id)
		}
		switch {
		case !ok:
			fresh = append(fresh, string(raw))
		case before.content == now.content:
			known++
			continue
		default:
			changed++
			fresh = append(fresh, withChange(string(raw), &before, &now))
		}
		here[now.id] = now
		seen = append(seen, now)
	}
	s.metrics.records(s.name, int64(len(fresh))-changed, changed, known)
	return fresh, seen
}

// save keeps the place. A storage that cannot be written does not stop the stream: after a restart more comes out again.
func (s *stream) save(ctx context.Context, u update) {
	if err := s.store.save(context.WithoutCancel(ctx), &s.state, s.memory, u); err != nil {
		s.logger.Error("Place not stored; after a restart scans since the last stored one come out again", zap.Error(err))
		s.health.failed(s.name, fmt.Errorf("storage: %w", err))
	}
}

package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/schema"
)

// maxUploads is how many objects of one flush are put at the same time: enough to hide the store's latency.
const maxUploads = 4

// abandonAfter is how much longer than its limit a flush waits for a store that does not heed it, such as a directory on
// a server that is gone.
const abandonAfter = time.Second

// storeSink puts one object for each event type, day and account of a chunk.
type storeSink struct {
	cfg    *config
	store  objectstore.Store
	name   string
	groups sync.Pool // of *group
}

// group is the scratch that one flush needs.
type group struct {
	objectstore.Grouper
	mapping *schema.Mapping
}

func newStoreSink(c *config, store objectstore.Store, name string) (*storeSink, error) {
	s := &storeSink{cfg: c, store: store, name: name}
	first, err := c.schema.New() // an error in the configuration is said at start
	if err != nil {
		return nil, err
	}
	s.groups.Put(&group{mapping: first})
	return s, nil
}

// group returns scratch for one flush.
func (s *storeSink) group() (*group, error) {
	if g, ok := s.groups.Get().(*group); ok {
		return g, nil
	}
	mapping, err := s.cfg.schema.New()
	return &group{mapping: mapping}, err
}

func (s *storeSink) String() string { return s.name }

func (s *storeSink) close() error {
	if closer, ok := s.store.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

func (s *storeSink) deliver(ctx context.Context, recs records, a *attempt) (note string, err error) {
	g, err := s.group()
	if err != nil {
		return "", err
	}
	at := time.Time{}
	if s.cfg.partitionTime == partitionByExport {
		at = a.at
	}
	var unmapped int64
	var firstUnmapped error
	for i := range recs {
		if _, err := g.mapping.Map(&recs[i].Record, recs[i].known); err != nil {
			if unmapped++; firstUnmapped == nil {
				firstUnmapped = err
			}
		}
		g.Add(&recs[i].Record, s.cfg.eventType, at)
	}
	if unmapped > 0 {
		note = unmappedNote(unmapped, firstUnmapped)
	}
	parts := g.Parts()
	if len(a.done) != len(parts) {
		a.done = make([]bool, len(parts))
	}
	abandoned, err := s.putAll(ctx, parts, a.done)
	if !abandoned { // else a Put may still read its lines
		g.Reset()
		s.groups.Put(g)
	}
	return note, err
}

// outcome is what became of one part.
type outcome struct {
	part int
	err  error
}

// putAll puts every part that is not done. abandoned says that a Put did not end within the limit.
func (s *storeSink) putAll(ctx context.Context, parts []objectstore.Part, done []bool) (abandoned bool, err error) {
	outcomes := make(chan outcome, len(parts)) // room for all: a Put that is abandoned can end
	next, running, left := 0, 0, 0
	for i := range parts {
		if !done[i] {
			left++
		}
	}
	var errs []error
	start := func() {
		for ; next < len(parts) && running < maxUploads; next++ {
			if done[next] {
				continue
			}
			if err := ctx.Err(); err != nil {
				errs, left = append(errs, fmt.Errorf("%d objects not tried: %w", left-running, context.Cause(ctx))), running
				next = len(parts)
				return
			}
			running++
			go func(i int) { outcomes <- outcome{i, s.put(ctx, &parts[i])} }(next)
		}
	}
	limit := time.NewTimer(time.Hour)
	defer limit.Stop()
	if deadline, ok := ctx.Deadline(); ok {
		limit.Reset(time.Until(deadline) + abandonAfter)
	}
	for start(); left > 0; start() {
		select {
		case o := <-outcomes:
			running, left = running-1, left-1
			if o.err != nil {
				errs = append(errs, o.err)
			} else {
				done[o.part] = true
			}
		case <-limit.C:
			return true, errors.Join(append(errs, fmt.Errorf("%d objects still being put after %v", running, s.cfg.timeout+abandonAfter))...)
		}
	}
	return false, errors.Join(errs...)
}

// put stores one part; a panic in it is its error.
func (s *storeSink) put(ctx context.Context, p *objectstore.Part) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	o, err := objectstore.NewObject(s.cfg.root, p.Partition, p.First, p.Lines, objectstore.Compression(s.cfg.compression))
	if err != nil {
		return err
	}
	if _, err = s.store.Put(ctx, o); err != nil {
		return fmt.Errorf("put %s with %d records: %w", o.Key, p.Records, err)
	}
	return nil
}

// test puts one object, as Panoptica's console does on Test Message.
func (s *storeSink) test(ctx context.Context, now time.Time) (key string, err error) {
	o, err := objectstore.TestMessage(s.cfg.root, now)
	if err != nil {
		return "", err
	}
	_, err = s.store.Put(ctx, o)
	return o.Key, err
}

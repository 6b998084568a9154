package cloudstoragereceiver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

// Keys in the storage extension.
const (
	objectsKey = "objects"
	listingKey = "listing"
	seenKey    = "seen/" // and the slot
)

const (
	// flushInterval and flushObjects say when the state is written, by whichever comes first. They bound what a crash repeats.
	flushInterval = time.Second
	flushObjects  = 100
	// progressLifetime is how long the progress of an object is kept that is not finished: as long as a queue keeps a message.
	progressLifetime = 14 * 24 * time.Hour
	// doneLifetime is how long it is kept of one that is finished: what is appended to by the hour is not appended to after so long.
	doneLifetime = 24 * time.Hour
	// maxProgress bounds how many objects have a progress. Beyond it the oldest are forgotten, and read from the beginning.
	maxProgress = 10_000
)

// progress is how far an object has been delivered.
type progress struct {
	ETag string `json:"etag,omitempty"`
	// Records were delivered; Sum is the hash of their texts, by which they are known again when the object has changed.
	Records int    `json:"records,omitempty"`
	Sum     uint64 `json:"sum,omitempty"`
	// Offset is where a growing object is read on, with Fields as its header line; Created tells it from a new one of its name.
	Offset  int64  `json:"offset,omitempty"`
	Fields  string `json:"fields,omitempty"`
	Created int64  `json:"created,omitempty"`

	Done bool  `json:"done,omitempty"`
	At   int64 `json:"at"` // Unix time of the last change
}

// state is what must survive a restart: the progress of objects and of the listing. It is changed in memory, always after
// the pipeline has accepted what it says, and written behind. It is safe for concurrent use.
type state struct {
	client storage.Client // nil: in memory only
	now    func() time.Time

	mu      sync.Mutex
	objects map[string]progress
	tries   map[string]int // of messages whose queue does not count
	dirty   bool           // objects
	listing listing

	unwritten int           // objects that are done since the last write
	wake      chan struct{} // written to when there are many

	writing sync.Mutex // one flush at a time
}

func newState(client storage.Client) *state {
	return &state{client: client, now: time.Now, objects: map[string]progress{}, tries: map[string]int{}, listing: newListing(), wake: make(chan struct{}, 1)}
}

// load reads what an earlier life left.
func (s *state) load(ctx context.Context) error {
	if s.client == nil {
		return nil
	}
	raw, err := s.client.Get(ctx, objectsKey)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &s.objects); err != nil {
			return fmt.Errorf("storage: %s: %w", objectsKey, err)
		}
	}
	return s.listing.load(ctx, s.client)
}

// flush writes what has changed.
func (s *state) flush(ctx context.Context) error {
	if s.client == nil {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	ops, err := s.changes()
	if err != nil || len(ops) == 0 {
		return err
	}
	if err := s.client.Batch(ctx, ops...); err != nil {
		s.mu.Lock()
		s.dirty = true
		s.listing.touch()
		s.mu.Unlock()
		return fmt.Errorf("storage: %w", err)
	}
	return nil
}

func (s *state) changes() ([]*storage.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ops, err := s.listing.changes()
	if err != nil {
		return nil, err
	}
	s.unwritten = 0
	if s.dirty {
		s.prune()
		raw, err := json.Marshal(s.objects)
		if err != nil {
			return nil, err
		}
		ops = append(ops, storage.SetOperation(objectsKey, raw))
		s.dirty = false
	}
	return ops, nil
}

// prune drops what nobody will ask for.
func (s *state) prune() {
	oldest := s.now().Add(-progressLifetime).Unix()
	for len(s.objects) > 0 {
		for id, p := range s.objects {
			if p.At < oldest || p.Done && p.At < s.now().Add(-doneLifetime).Unix() {
				delete(s.objects, id)
			}
		}
		if len(s.objects) <= maxProgress {
			return
		}
		oldest += int64((s.now().Unix()-oldest)/2) + 1
	}
}

// get is the progress of an object, the zero value when there is none.
func (s *state) get(id string) (p progress, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok = s.objects[id]
	return p, ok
}

func (s *state) set(id string, p progress) {
	p.At = s.now().Unix()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[id] = p
	s.dirty = true
	s.progressed()
	if s.client == nil && len(s.objects) > maxProgress {
		s.prune()
	}
}

// progressed has the state written soon when there is much to lose. The lock is held.
func (s *state) progressed() {
	if s.unwritten++; s.unwritten >= flushObjects {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// forget drops the progress of objects that are done.
func (s *state) forget(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if _, ok := s.objects[id]; ok {
			delete(s.objects, id)
			s.dirty = true
		}
	}
}

// try counts a message's tries in this life, for queues that do not.
func (s *state) try(message string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tries) >= maxProgress {
		clear(s.tries)
	}
	s.tries[message]++
	return s.tries[message]
}

func (s *state) forgetTries(message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tries, message)
}

// run writes behind until ctx ends; Shutdown writes the rest.
func (s *state) run(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.wake:
		}
		if err := s.flush(ctx); err != nil && !errors.Is(err, context.Canceled) {
			failed(err)
		}
	}
}

// objectID names an object in the storage.
func objectID(b bucket.Bucket, o bucket.Object) string {
	sum := sha256.Sum256([]byte(b.URL(o) + "\x00" + o.Version))
	return hex.EncodeToString(sum[:16])
}

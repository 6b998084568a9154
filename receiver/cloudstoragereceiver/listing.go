package cloudstoragereceiver

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

// slotSeconds is the length of a slot of seen objects by their dates: what is rewritten when one more has been seen.
const slotSeconds = 300

// pageSlot holds the objects of the page under way, whatever their dates.
const pageSlot = -1

// seen names an object's content.
type seen [16]byte

func seenOf(o *bucket.Object) seen {
	sum := sha256.Sum256([]byte(o.Key + "\x00" + o.ETag))
	return seen(sum[:16])
}

// failedObject is one that is tried again later.
type failedObject struct {
	Object bucket.Object `json:"object"`
	Tries  int           `json:"tries"`
	Next   time.Time     `json:"next"`
}

// checkpoint is where the listing is. Keys are listed in their order and not by date, so there is no last key behind
// which all is new. What is done is known by date (everything before Watermark), by content (the objects seen since) and,
// while a listing is under way, by page (everything before Token).
type checkpoint struct {
	// Scope is what was listed, and Start from when on: a checkpoint says nothing of what is beyond.
	Scope string    `json:"scope"`
	Start time.Time `json:"start"`
	// Watermark: all objects dated before it are done.
	Watermark time.Time `json:"watermark"`
	// Began is when the listing under way began, zero when none is; Token is where its next page begins.
	Began time.Time `json:"began"`
	Token string    `json:"token"`
	// Slots have seen objects.
	Slots  []int64                  `json:"slots"`
	Failed map[string]*failedObject `json:"failed"`
}

// listing is the checkpoint with the objects seen. It is guarded by the state's lock.
type listing struct {
	checkpoint
	slots   map[int64]map[seen]struct{}
	dirty   map[int64]bool // slots to write, or to delete where they are gone
	changed bool           // the checkpoint
}

func newListing() listing {
	return listing{
		checkpoint: checkpoint{Failed: map[string]*failedObject{}},
		slots:      map[int64]map[seen]struct{}{}, dirty: map[int64]bool{},
	}
}

func slotOf(o *bucket.Object) int64 { return o.Modified.Unix() / slotSeconds }

func slotKey(slot int64) string { return seenKey + strconv.FormatInt(slot, 10) }

func (l *listing) load(ctx context.Context, client storage.Client) error {
	raw, err := client.Get(ctx, listingKey)
	if err != nil || raw == nil {
		return err
	}
	if err := json.Unmarshal(raw, &l.checkpoint); err != nil {
		return fmt.Errorf("storage: %s: %w", listingKey, err)
	}
	if l.Failed == nil {
		l.Failed = map[string]*failedObject{}
	}
	for _, slot := range l.Slots {
		raw, err := client.Get(ctx, slotKey(slot))
		if err != nil {
			return fmt.Errorf("storage: %s: %w", slotKey(slot), err)
		}
		if len(raw)%len(seen{}) != 0 {
			return errors.Join(fmt.Errorf("storage: %s", slotKey(slot)), errors.New("torn"))
		}
		set := make(map[seen]struct{}, len(raw)/len(seen{}))
		for ; len(raw) > 0; raw = raw[len(seen{}):] {
			set[seen(raw[:len(seen{})])] = struct{}{}
		}
		l.slots[slot] = set
	}
	return nil
}

// changes are the operations that write what has changed.
func (l *listing) changes() (ops []*storage.Operation, err error) {
	if !l.changed && len(l.dirty) == 0 {
		return nil, nil
	}
	for slot := range l.dirty {
		set, ok := l.slots[slot]
		if !ok {
			ops = append(ops, storage.DeleteOperation(slotKey(slot)))
			continue
		}
		raw := make([]byte, 0, len(set)*len(seen{}))
		for s := range set {
			raw = append(raw, s[:]...)
		}
		ops = append(ops, storage.SetOperation(slotKey(slot), raw))
	}
	clear(l.dirty)
	l.Slots = l.Slots[:0]
	for slot := range l.slots {
		l.Slots = append(l.Slots, slot)
	}
	raw, err := json.Marshal(&l.checkpoint)
	if err != nil {
		return nil, err
	}
	l.changed = false
	return append(ops, storage.SetOperation(listingKey, raw)), nil
}

// touch has everything written again, after a write that failed.
func (l *listing) touch() {
	l.changed = true
	for slot := range l.slots {
		l.dirty[slot] = true
	}
}

func (l *listing) addSeen(slot int64, o *bucket.Object) {
	set := l.slots[slot]
	if set == nil {
		set = map[seen]struct{}{}
		l.slots[slot] = set
	}
	set[seenOf(o)] = struct{}{}
	l.dirty[slot] = true
}

func (l *listing) hasSeen(slot int64, o *bucket.Object) bool {
	_, ok := l.slots[slot][seenOf(o)]
	return ok
}

// adopt uses the stored checkpoint for a listing of scope from start on. A checkpoint of another scope, or of a later start, says
// nothing about it: then the listing begins anew, and adopt returns true.
func (s *state) adopt(scope string, start time.Time) (anew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.listing
	if l.Scope != "" && (l.Scope != scope || start.Before(l.Start)) {
		anew = true
		for slot := range l.slots {
			l.drop(slot)
		}
		l.checkpoint = checkpoint{Failed: map[string]*failedObject{}}
	}
	if l.Scope == "" || start.After(l.Watermark) { // what is left out from here on is not done
		l.Start = start
	}
	l.Scope, l.changed = scope, true
	return anew
}

// begin begins a listing, or goes on with the one that was under way, and returns its next page's token and the date before
// which objects are done.
func (s *state) begin() (token string, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.listing
	if l.Began.IsZero() {
		l.Began, l.Token, l.changed = s.now(), "", true
	}
	return l.Token, l.Watermark
}

// isDone reports whether an object of the listing needs no more reading.
func (s *state) isDone(o *bucket.Object) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, failed := s.listing.Failed[o.Key]
	return failed || s.listing.hasSeen(pageSlot, o) || s.listing.hasSeen(slotOf(o), o)
}

// markDone remembers an object that was delivered. One whose date the next listing looks at again is remembered by its date;
// every other one only until its page is done.
func (s *state) markDone(o *bucket.Object, overlap time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.listing
	if o.Modified.Before(l.Began.Add(-overlap)) {
		l.addSeen(pageSlot, o)
	} else {
		l.addSeen(slotOf(o), o)
	}
	delete(l.Failed, o.Key)
	l.changed = true
	s.progressed()
}

// endPage moves the checkpoint to the next page; with none the listing is done.
func (s *state) endPage(next string, overlap time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.listing
	l.Token, l.changed = next, true
	l.drop(pageSlot)
	if next != "" {
		return
	}
	if mark := l.Began.Add(-overlap); mark.After(l.Watermark) {
		l.Watermark = mark
	}
	l.Began = time.Time{}
	for slot := range l.slots {
		if (slot+1)*slotSeconds <= l.Watermark.Unix() {
			l.drop(slot)
		}
	}
}

// restart begins the listing anew, where the store no longer knows the token.
func (s *state) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listing.Token, s.listing.changed = "", true
}

func (l *listing) drop(slot int64) {
	if _, ok := l.slots[slot]; ok {
		delete(l.slots, slot)
		l.dirty[slot] = true
	}
}

// fail remembers an object that is to be tried again, and returns how often it was tried.
func (s *state) fail(o *bucket.Object, delay func(tries int) time.Duration) (tries int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.listing.Failed[o.Key]
	if f == nil {
		f = &failedObject{}
		s.listing.Failed[o.Key] = f
	}
	f.Object = *o
	f.Tries++
	f.Next = s.now().Add(delay(f.Tries))
	s.listing.changed = true
	return f.Tries
}

// due are the failed objects whose time has come.
func (s *state) due() (objects []bucket.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.listing.Failed {
		if !s.now().Before(f.Next) {
			objects = append(objects, f.Object)
		}
	}
	return objects
}

// failedCount is how many objects wait to be tried again.
func (s *state) failedCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listing.Failed)
}

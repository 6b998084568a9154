package plugin

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/siempipe/siempipe/internal/process/suppress"
)

// attempt is what must be the same, or must not be done again, when the host brings a chunk back.
type attempt struct {
	// at is the first flush: now for snoozes, for days by export and for records without a time. With it the records of
	// a chunk, and so the object keys, are the same at every try.
	at time.Time
	// list is the suppressions at that time; decided says that it is set.
	list    *suppress.List
	decided bool
	// done are the parts (of a store) or records (over syslog) that need not be delivered again, nil before the first
	// delivery.
	done []bool
	// panics is how often the chunk made us panic.
	panics int
}

// maxAttempts bounds what is remembered: the host gives up chunks without telling us.
const maxAttempts = 1024

// retries remembers the attempts at chunks that the host was told to bring back. A chunk is known by its bytes; two that
// are equal may share an attempt, which changes nothing, since their records are equal too. What the process forgets when
// it ends is only how far it was: then records are sent again, and objects have the same keys unless a snooze ended or a
// suppression changed meanwhile.
type retries struct {
	seed maphash.Seed

	mu    sync.Mutex
	known map[uint64]*attempt
}

func newRetries() *retries {
	return &retries{seed: maphash.MakeSeed(), known: make(map[uint64]*attempt)}
}

// take returns the attempt at a chunk and forgets it, nil when it is a new one.
func (r *retries) take(data []byte) *attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) == 0 { // nearly always: then nothing is hashed
		return nil
	}
	key := maphash.Bytes(r.seed, data)
	a := r.known[key]
	delete(r.known, key)
	return a
}

// keep remembers the attempt at a chunk that comes back.
func (r *retries) keep(data []byte, a *attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxAttempts {
		var oldest uint64
		first := time.Time{}
		for key, other := range r.known {
			if first.IsZero() || other.at.Before(first) {
				oldest, first = key, other.at
			}
		}
		delete(r.known, oldest)
	}
	r.known[maphash.Bytes(r.seed, data)] = a
}

// Package queue receives messages from the queues of three clouds and deletes each one only after its handler says so.
//
// A message is leased, and the lease is extended while the handler works on it.
package queue

import (
	"context"
	"sync"
	"time"

	"github.com/siempipe/siempipe/internal/collector/backoff"
)

// Message is a message on lease.
type Message struct {
	ID         string
	Body       []byte
	Attributes map[string]string // Pub/Sub's
	Tries      int               // how often it was handed out, this time included; 0 when the queue does not count
	Sent       time.Time         // zero when the queue does not say
}

// Verdict says what becomes of a message.
type Verdict struct {
	// Delete says that all of it is done.
	Delete bool
	// Delay is how long the message stays hidden from everybody, when it is not deleted.
	Delay time.Duration
}

// Handler works on a message. ctx ends when the receiver stops or the lease is lost.
type Handler func(ctx context.Context, m Message) Verdict

// Queue is a queue of messages.
type Queue interface {
	// Receive calls handle with messages, up to concurrency at once, until ctx ends and the last handler has returned. It
	// retries for ever; report hears of each failure to receive, and nil when it works again.
	Receive(ctx context.Context, concurrency int, handle Handler, report func(error))
	// Name names the queue for people.
	Name() string
	Close() error
}

// leased is a message that was pulled, with what can be done with it.
type leased struct {
	Message
	extend func(ctx context.Context, by time.Duration) error // 0 gives it back at once
	remove func(ctx context.Context) error
}

// puller is a queue that has to be asked.
type puller struct {
	name       string
	lease      time.Duration // of a new message
	perRequest int           // messages that one request can bring
	maxIdle    time.Duration // between requests that bring nothing; 0 where the request itself waits
	pull       func(ctx context.Context, n int) ([]leased, error)
	lost       func(error) bool // whether an error of extend says that the lease is gone for good
}

const (
	// extendAt is the part of a lease after which it is extended: two tries are left when one fails.
	extendAt = 3
	// endTimeout bounds the requests that end a lease, which are made also when the receiver stops.
	endTimeout   = 10 * time.Second
	removeTries  = 4
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second
)

// Receive asks as many times at once as are needed for concurrency messages.
func (p *puller) Receive(ctx context.Context, concurrency int, handle Handler, report func(error)) {
	slots := make(chan struct{}, concurrency)
	var pullers sync.WaitGroup
	for range (concurrency + p.perRequest - 1) / p.perRequest {
		pullers.Go(func() { p.run(ctx, slots, handle, report) })
	}
	pullers.Wait()
}

func (p *puller) run(ctx context.Context, slots chan struct{}, handle Handler, report func(error)) {
	var handlers sync.WaitGroup
	defer handlers.Wait()
	failures := backoff.Backoff{First: firstBackoff, Max: maxBackoff}
	idle := backoff.Backoff{First: firstBackoff, Max: p.maxIdle}
	for ctx.Err() == nil {
		n := p.acquireSlots(ctx, slots)
		messages, err := p.pull(ctx, n)
		for range n - len(messages) {
			<-slots
		}
		for i := range messages {
			handlers.Go(func() {
				defer func() { <-slots }()
				p.handleMessage(ctx, &messages[i], handle)
			})
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			report(err)
			_ = backoff.Sleep(ctx, failures.Next())
		default:
			if failures.Waiting() {
				report(nil)
			}
			failures.Reset()
			if len(messages) > 0 {
				idle.Reset()
			} else {
				_ = backoff.Sleep(ctx, idle.Next())
			}
		}
	}
}

// acquireSlots waits for one slot and takes more that are free, up to what one request can bring.
func (p *puller) acquireSlots(ctx context.Context, slots chan struct{}) (n int) {
	select {
	case slots <- struct{}{}:
		n = 1
	case <-ctx.Done():
		return 0
	}
	for ; n < p.perRequest; n++ {
		select {
		case slots <- struct{}{}:
		default:
			return n
		}
	}
	return n
}

// handleMessage has a message handled and ends its lease.
func (p *puller) handleMessage(ctx context.Context, m *leased, handle Handler) {
	working, stop := context.WithCancel(ctx)
	var extending sync.WaitGroup
	extending.Go(func() { p.extend(working, stop, m) })
	verdict := handle(working, m.Message)
	stop()
	extending.Wait()

	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if !verdict.Delete {
		if ctx.Err() != nil {
			verdict.Delay = 0 // somebody else can have it at once
		}
		_ = m.extend(ending, verdict.Delay) // else it comes back when the lease ends
		return
	}
	failures := backoff.Backoff{First: firstBackoff, Max: maxBackoff}
	for range removeTries {
		if err := m.remove(ending); err == nil || p.lost(err) {
			return
		}
		_ = backoff.Sleep(ending, failures.Next())
	}
	_ = m.remove(ending) // a message that could not be removed comes again, and its records with it
}

// extend keeps a message on lease, and ends the work on it when somebody else may have it already.
func (p *puller) extend(ctx context.Context, stop context.CancelFunc, m *leased) {
	ends := time.Now().Add(p.lease)
	wait := p.lease / extendAt
	for {
		if backoff.Sleep(ctx, wait) != nil {
			return
		}
		began := time.Now()
		// Not broken off when the handler ends: a receipt that was renewed and not received would be lost.
		extending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		err := m.extend(extending, p.lease)
		cancel()
		switch {
		case err == nil:
			ends, wait = began.Add(p.lease), p.lease/extendAt
		case p.lost(err) || time.Now().After(ends):
			stop()
			return
		default:
			wait = max(time.Until(ends)/extendAt, time.Second)
		}
	}
}

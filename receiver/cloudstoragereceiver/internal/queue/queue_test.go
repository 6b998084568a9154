package queue

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errLost = errors.New("receipt handle is invalid")

// fake is a queue of messages in memory, with what was done to each.
type fake struct {
	mu       sync.Mutex
	waiting  []string
	fail     int // pulls that fail
	pulled   int
	extended map[string][]time.Duration
	removed  map[string]int
	lost     map[string]bool
	deaf     map[string]int // removals that fail
}

func newFake(messages ...string) *fake {
	return &fake{waiting: messages, extended: map[string][]time.Duration{}, removed: map[string]int{}, lost: map[string]bool{}, deaf: map[string]int{}}
}

func (f *fake) puller(batch int) *puller {
	return &puller{name: "fake", lease: 300 * time.Millisecond, perRequest: batch, maxIdle: 10 * time.Millisecond,
		lost: func(err error) bool { return errors.Is(err, errLost) },
		pull: func(_ context.Context, n int) (out []leased, err error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.pulled++; f.pulled <= f.fail {
				return nil, errors.New("no such host")
			}
			for len(out) < n && len(f.waiting) > 0 {
				out = append(out, f.lease(f.waiting[0]))
				f.waiting = f.waiting[1:]
			}
			return out, nil
		},
	}
}

func (f *fake) lease(id string) leased {
	return leased{Message: Message{ID: id},
		extend: func(_ context.Context, by time.Duration) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.lost[id] {
				return errLost
			}
			f.extended[id] = append(f.extended[id], by)
			return nil
		},
		remove: func(context.Context) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.deaf[id]--; f.deaf[id] >= 0 {
				return errors.New("timeout")
			}
			f.removed[id]++
			return nil
		},
	}
}

func (f *fake) isRemoved(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.removed[id] == 1
}

func quiet(error) {}

func TestReceive(t *testing.T) {
	var ids []string
	for i := range 50 {
		ids = append(ids, string(rune('A'+i)))
	}
	f := newFake(ids...)
	f.deaf["B"] = 1
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var now, most atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.puller(3).Receive(ctx, 7, func(context.Context, Message) Verdict {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(5 * time.Millisecond)
			now.Add(-1)
			return Verdict{Delete: true}
		}, quiet)
	}()
	for _, id := range ids {
		require.Eventually(t, func() bool { return f.isRemoved(id) }, time.Minute, 5*time.Millisecond, id)
	}
	stop()
	<-done
	assert.LessOrEqual(t, most.Load(), int32(7))
	assert.Greater(t, most.Load(), int32(1))
}

// TestLease: it is extended while the handler works, kept by no more than the verdict's delay, and given back at the end.
func TestLease(t *testing.T) {
	f := newFake("slow", "fails")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.puller(10).Receive(ctx, 2, func(ctx context.Context, m Message) Verdict {
			if m.ID == "fails" {
				return Verdict{Delay: 7 * time.Second}
			}
			<-ctx.Done() // stopped in the middle
			return Verdict{Delay: time.Hour}
		}, quiet)
	}()
	require.Eventually(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.extended["slow"]) >= 3 }, time.Minute, 5*time.Millisecond)
	stop()
	<-done
	fails := f.extended["fails"]
	require.NotEmpty(t, fails)
	assert.Equal(t, 7*time.Second, fails[len(fails)-1])
	for _, by := range fails[:len(fails)-1] { // where the test was paused meanwhile
		assert.Equal(t, 300*time.Millisecond, by)
	}
	last := len(f.extended["slow"]) - 1
	for _, by := range f.extended["slow"][:last] {
		assert.Equal(t, 300*time.Millisecond, by)
	}
	assert.Zero(t, f.extended["slow"][last], "given back at once")
	assert.Empty(t, f.removed)
}

// TestLeaseLost: the work ends when somebody else has the message.
func TestLeaseLost(t *testing.T) {
	f := newFake("taken")
	f.lost["taken"] = true
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.puller(10).Receive(ctx, 1, func(working context.Context, _ Message) Verdict {
			<-working.Done()
			assert.NoError(t, ctx.Err())
			close(ended)
			return Verdict{}
		}, quiet)
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the handler works on")
	}
	stop()
	<-done
}

// TestReports: a queue that cannot be reached is asked again, and who wants to know hears of it.
func TestReports(t *testing.T) {
	f := newFake("a")
	f.fail = 2
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var mu sync.Mutex
	var heard []bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.puller(10).Receive(ctx, 1, func(context.Context, Message) Verdict { return Verdict{Delete: true} }, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, err == nil)
		})
	}()
	require.Eventually(t, func() bool { return f.isRemoved("a") }, time.Minute, 5*time.Millisecond)
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(heard) == 3 }, time.Minute, 5*time.Millisecond)
	stop()
	<-done
	assert.Equal(t, []bool{false, false, true}, heard)
}

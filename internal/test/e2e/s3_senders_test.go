package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// senders post findings until they are stopped, each body again until it is answered with 200, as senders do.
type senders struct {
	url string

	next    atomic.Int64
	refused atomic.Int64
	stop    chan struct{}
	wg      sync.WaitGroup

	mu    sync.Mutex
	acked map[string]bool // alert IDs
}

const (
	senderAccounts = 12
	sendEach       = 20 // findings in a body
)

// startSenders starts n of them, each with a pause between bodies.
func startSenders(url string, n int, pause time.Duration) *senders {
	l := &senders{url: url, stop: make(chan struct{}), acked: map[string]bool{}}
	for range n {
		l.wg.Go(func() {
			for {
				body, ids := l.body()
				if !l.send(body) {
					return
				}
				l.mu.Lock()
				for _, id := range ids {
					l.acked[id] = true
				}
				l.mu.Unlock()
				select {
				case <-l.stop:
					return
				case <-time.After(pause):
				}
			}
		})
	}
	return l
}

// body is findings of many accounts, two event types and two days, mixed.
func (l *senders) body() (text string, ids []string) {
	var b strings.Builder
	for range sendEach {
		n := l.next.Add(1)
		id := fmt.Sprintf("load-%06d", n)
		ids = append(ids, id)
		fmt.Fprintf(&b, `{"alert_id":"%s","detection_type":"%s","account_id":"acct-%d","tenant_id":"id-load","detection_timestamp":"2026-03-%02dT23:59:%02dZ","description":"%s"}`+"\n",
			id, []string{"security_finding", "other"}[n%2], n%senderAccounts, 1+n/3%2, n%60, strings.Repeat("x", rand.IntN(1500)))
	}
	return b.String(), ids
}

// send posts until the answer is 200; false is that the load ended before.
func (l *senders) send(body string) bool {
	for {
		a, err := harness.Post(l.url, "application/x-ndjson", strings.NewReader(body))
		if err == nil && a.Code == 200 && a.Accepted == sendEach {
			return true
		}
		l.refused.Add(1)
		select {
		case <-l.stop:
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// accepted is how many findings were so far.
func (l *senders) accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// end stops the senders and returns the IDs that were accepted.
func (l *senders) end() map[string]bool {
	close(l.stop)
	l.wg.Wait()
	return l.acked
}

var (
	senderID = regexp.MustCompile(`"alert_id":"(load-\d+)"`)
)

// stored is what a bucket holds of a load.
type stored struct {
	objects int
	seen    map[string]int // by alert ID
	mixed   []string       // records under a key that is not theirs
}

func readStored(t *testing.T, server *peers.S3, bucket string) stored {
	t.Helper()
	s := stored{seen: map[string]int{}}
	for key, content := range server.Objects(t, bucket) {
		o, err := harness.NewObject(key, content)
		require.NoError(t, err)
		s.objects++
		for _, line := range o.Lines {
			id := senderID.FindStringSubmatch(line)
			if id == nil {
				t.Errorf("%s: %.200s", key, line)
				continue
			}
			s.seen[id[1]]++
			facts := map[string]string{}
			for _, member := range []string{"detection_type", "account_id", "detection_timestamp"} {
				_, rest, _ := strings.Cut(line, `"`+member+`":"`)
				facts[member], _, _ = strings.Cut(rest, `"`)
			}
			want := fmt.Sprintf("Panoptica/%s/%.10s/%s/", facts["detection_type"], facts["detection_timestamp"], facts["account_id"])
			if !strings.HasPrefix(key, want) {
				s.mixed = append(s.mixed, key+": "+line)
			}
		}
	}
	return s
}

// waitStored waits until a bucket holds all of a load.
func waitStored(t *testing.T, server *peers.S3, bucket string, acked map[string]bool, timeout time.Duration) stored {
	t.Helper()
	for deadline := time.Now().Add(timeout); ; time.Sleep(time.Second) {
		s := readStored(t, server, bucket)
		missing := 0
		for id := range acked {
			if s.seen[id] == 0 {
				missing++
			}
		}
		if missing == 0 || time.Now().After(deadline) {
			assert.Zero(t, missing, "of %d records accepted are not in the bucket", len(acked))
			assert.Empty(t, s.mixed)
			return s
		}
	}
}

// duplicates are records that stand more than once.
func (s stored) duplicates() (n int) {
	for times := range maps.Values(s.seen) {
		n += times - 1
	}
	return n
}

// often is the most that one record stands there.
func (s stored) often() int { return slices.Max(slices.Collect(maps.Values(s.seen))) }

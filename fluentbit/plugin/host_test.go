package plugin

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keys is the host's configuration of an instance.
type keys map[string]string

func (k keys) Get(key string) string { return k[key] }

// with is k with other keys.
func (k keys) with(others keys) keys {
	k = maps.Clone(k)
	maps.Copy(k, others)
	return k
}

// lines is a logger that keeps what it is told.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Log(level Level, msg string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf("%d %s", level, msg))
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

// instance makes an instance that is closed when the test ends.
func instance(t testing.TB, k keys) (*Instance, *lines) {
	t.Helper()
	log := &lines{}
	i, err := New(k, log)
	require.NoError(t, err)
	t.Cleanup(i.Close)
	return i, log
}

// listen reads lines over TCP until the test ends.
func listen(t testing.TB) (address string, received <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), serve(l)
}

func serve(l net.Listener) <-chan string {
	lines := make(chan string, 1<<16)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() // the sender waits for it
				s := bufio.NewScanner(c)
				s.Buffer(nil, 2<<20)
				for s.Scan() {
					lines <- s.Text()
				}
			}()
		}
	}()
	return lines
}

// patience is how long a test waits for what must come, and bounds what must end: a busy machine is slow and may pause.
const patience = time.Minute

// take takes n lines, or as many as come in time.
func take(received <-chan string, n int) (got []string) {
	for range n {
		select {
		case line := <-received:
			got = append(got, line)
		case <-time.After(patience):
			return got
		}
	}
	return got
}

package perceptionpointreceiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/test/fakes/perceptionpointapi"
)

func (b *bench) shiftScans(d time.Duration) {
	b.api.Shift(d)
}

// waited checks that the API was left alone for as long as it asked.
func waited(d time.Duration) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		for _, entry := range b.logs.All() {
			if wait, ok := entry.ContextMap()["wait"].(time.Duration); ok {
				assert.GreaterOrEqual(t, wait, d)
				return
			}
		}
		t.Error("no wait in the log")
	}
}

func redirectOnce(match string) func(*bench) {
	return func(b *bench) {
		b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.Contains(r.URL.RawQuery, match) || strings.Contains(r.URL.RawQuery, "moved") {
				return false
			}
			http.Redirect(w, r, r.URL.Path+"?"+r.URL.RawQuery+"&moved=1", http.StatusFound)
			return true
		}
	}
}

func redirectAlways(match string, times int) func(*bench) {
	var n atomic.Int32
	return func(b *bench) {
		b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.Contains(r.URL.RawQuery, match) || int(n.Add(1)) > times {
				return false
			}
			http.Redirect(w, r, r.URL.Path+"?"+r.URL.RawQuery+"&x=1", http.StatusFound)
			return true
		}
	}
}

func repeatNext(match string, times int) func(*bench) {
	var n atomic.Int32
	return func(b *bench) {
		b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.Contains(r.URL.RawQuery, match) || int(n.Add(1)) > times {
				return false
			}
			_, _ = w.Write(perceptionpointapi.Page(95, "http://"+r.Host+r.URL.RequestURI(), nil))
			return true
		}
	}
}

func emptyPages(match string, times int) func(*bench) {
	var n atomic.Int32
	return func(b *bench) {
		b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.Contains(r.URL.RawQuery, match) {
				return false
			}
			k := int(n.Add(1))
			if k > times {
				return false
			}
			_, _ = w.Write(perceptionpointapi.Page(95, fmt.Sprintf("http://%s%s&k=%d", r.Host, r.URL.RequestURI(), k), nil))
			return true
		}
	}
}

// endless makes up pages with new scans.
func endless(match string, times int) func(*bench) {
	var n atomic.Int32
	return func(b *bench) {
		b.api.Fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.Contains(r.URL.RawQuery, match) {
				return false
			}
			k := int(n.Add(1))
			if k > times {
				return false
			}
			_, _ = w.Write(perceptionpointapi.Page(95, fmt.Sprintf("http://%s%s&k=%d", r.Host, r.URL.RequestURI(), k),
				[]perceptionpointapi.Record{perceptionpointapi.Scan(1000+k, time.Now(), "CLN")}))
			return true
		}
	}
}

func refuseFirst(times int, err error) func(*bench) {
	return func(b *bench) {
		var n atomic.Int32
		b.refuse = func(plog.Logs) error {
			if int(n.Add(1)) <= times {
				return err
			}
			return nil
		}
	}
}

// takeHalf takes the first half of the first batch and refuses the rest.
func takeHalf() func(*bench) {
	return func(b *bench) {
		var once atomic.Bool
		b.refuse = func(logs plog.Logs) error {
			if once.Swap(true) {
				return nil
			}
			rest := plog.NewLogs()
			logs.CopyTo(rest)
			n := 0
			cut := func(first bool) func(plog.LogRecord) bool {
				n = 0
				return func(plog.LogRecord) bool { n++; return (n <= 10) == first }
			}
			rest.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().RemoveIf(cut(true))
			taken := plog.NewLogs()
			logs.CopyTo(taken)
			taken.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().RemoveIf(cut(false))
			_ = b.sink.ConsumeLogs(context.Background(), taken)
			return consumererror.NewLogs(errors.New("half of it"), rest)
		}
	}
}

func everyRequestHas(parts ...string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		for _, request := range b.api.Requests() {
			for _, part := range parts {
				assert.Contains(t, request, part)
			}
		}
	}
}

// changeAt changes a scan when all have come out.
func changeAt(i int, old, new string) func(*bench) {
	return func(b *bench) {
		b.wait(95)
		b.api.Change(i, old, new)
	}
}

// listedAgain waits until the changed scan was listed for sure.
func listedAgain(_ *testing.T, b *bench) {
	n := len(b.api.Requests())
	b.until(func() bool { return len(b.api.Requests()) > n+12 }, "no further poll", nil)
}

func changeOf(t *testing.T, body string) string {
	var scan struct {
		Change json.RawMessage `json:"change"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &scan))
	return string(scan.Change)
}

func lastChange(i int, want string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		bodies := b.bodies()
		last := bodies[len(bodies)-1]
		assert.Contains(t, last, perceptionpointapi.ScanID(i))
		assert.JSONEq(t, want, changeOf(t, last))
		for _, body := range bodies[:len(bodies)-1] {
			assert.NotContains(t, body, `"change"`)
		}
	}
}

// fieldsMoved checks the fields of all changes of a scan together: they may be seen one after the other.
func fieldsMoved(i int, want ...string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		b.until(func() bool {
			all := ""
			for _, body := range b.bodies() {
				if strings.Contains(body, perceptionpointapi.ScanID(i)) {
					all += changeOf(t, body)
				}
			}
			if all == "" && b.counts()[perceptionpointapi.ScanID(i)] > 0 { // it changed before it was first listed
				return strings.Contains(strings.Join(b.bodies(), ""), `"last_action":"release"`)
			}
			for _, field := range want {
				if !strings.Contains(all, `"`+field+`"`) {
					return false
				}
			}
			return true
		}, "not all of %v moved", func() []any { return []any{want} })
	}
}

func formatOf(part, want string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		for _, logs := range b.sink.AllLogs() {
			lr := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			if strings.Contains(lr.Body().Str(), part) {
				format, _ := lr.Attributes().Get("siem.format")
				assert.Equal(t, want, format.Str())
				return
			}
		}
		t.Errorf("no record with %s", part)
	}
}

// killBetweenPages lets the receiver go in the middle of a list, with only what is on the disk left, and starts another.
func killBetweenPages(times int) func(*bench) {
	return func(b *bench) {
		for k := range times {
			b.until(func() bool { return b.sink.LogRecordCount() >= 20*(k+1) }, "no page came", nil)
			b.stop()
			b.start()
		}
		b.until(func() bool { return len(b.counts()) == 95 }, "not all came", nil)
	}
}

func repeatsAtMost(n int) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		atLeastOnce(t, b)
		assert.LessOrEqual(t, b.sink.LogRecordCount(), 95+n)
	}
}

func atLeastOnce(t *testing.T, b *bench) {
	b.until(func() bool { return len(b.counts()) == 95 }, "%d of 95 scans came", func() []any { return []any{len(b.counts())} })
}

func neverLogged(text string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) { assert.False(t, b.logged(text), text) }
}

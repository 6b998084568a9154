package detectionprocessor

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/processor"

	"github.com/siempipe/siempipe/internal/detect/sigma"
	"github.com/siempipe/siempipe/internal/record"
)

// TestRough sends the sign-ins of many principals out of order, some batches twice, through a processor that is refused,
// restarted and killed before it wrote its windows. Each principal with ten or more has one alert id, each other none.
// SIEMPIPE_SOAK is by how much longer it goes on than it does in CI.
func TestRough(t *testing.T) {
	rounds := 1
	if n, err := strconv.Atoi(os.Getenv("SIEMPIPE_SOAK")); err == nil {
		rounds = n
	}
	for round := range rounds {
		rough(t, rand.New(rand.NewSource(int64(round))))
	}
}

func rough(t *testing.T, rnd *rand.Rand) {
	const principals = 120
	var all []event
	signIns := make([]int, principals)
	for i := range principals {
		signIns[i] = 1 + rnd.Intn(20)
		for j := range signIns[i] {
			e := failedSignIn(fmt.Sprintf("%d/%d", i, j), time.Duration(rnd.Int63n(int64(9*time.Minute))))
			e.body = strings.Replace(e.body, "eve@", fmt.Sprintf("p%d@", i), 1)
			all = append(all, e)
		}
	}
	rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var batches [][]event
	for len(all) > 0 {
		n := min(1+rnd.Intn(40), len(all))
		batches = append(batches, all[:n])
		all = all[n:]
	}
	s := &sink{}
	dir := t.TempDir()
	refused, killed, restarts, twice := 0, 0, 0, 0
	for next := 0; next < len(batches); {
		before := copyDir(t, dir)
		restarts++
		kill := false
		run(t, dir, nil, s, func(p processor.Logs) {
			for first := true; next < len(batches); first = false {
				batch := batches[next]
				for rnd.Intn(4) == 0 {
					refused++
					s.err = errors.New("queue is full")
					require.Error(t, p.ConsumeLogs(t.Context(), logsOf(batch...)))
					s.err = nil
				}
				require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(batch...)))
				if first && rnd.Intn(3) == 0 { // killed before it wrote: the batch was delivered and not acknowledged
					kill = true
					return
				}
				next++
				if rnd.Intn(5) == 0 { // a queue that delivers twice
					twice++
					require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(batches[rnd.Intn(next)]...)))
				}
				if rnd.Intn(3) == 0 {
					return
				}
			}
		})
		if kill {
			killed++
			dir = before
		}
	}
	ids := map[string]map[string]bool{}
	for _, lr := range s.findings() {
		body := lr.Body().Str()
		dedup := sigma.Lookup(nil, body, "dedup")[0].Text()
		if ids[dedup] == nil {
			ids[dedup] = map[string]bool{}
		}
		ids[dedup][lr.Attributes().AsRaw()[record.AttrID].(string)] = true
		require.Contains(t, body, `"count":10,`)
	}
	for i, n := range signIns {
		got := len(ids[fmt.Sprintf("p%d@example.com", i)])
		want := 0
		if n >= 10 {
			want = 1
		}
		if got != want {
			t.Errorf("%d sign-ins: %d alert ids, want %d", n, got, want)
		}
	}
	t.Logf("%d batches: %d refused, %d twice, %d restarts, %d of them killed; %d findings of %d alerts", len(batches), refused, twice, restarts, killed, len(s.findings()), len(ids))
}

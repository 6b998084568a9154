package siemprocessor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
)

// TestScansOfAReceiver: with the scans that a receiver shares, and whatever other processors did to its records, what comes out
// is what comes out without them.
func TestScansOfAReceiver(t *testing.T) {
	cfg := defaults()
	cfg.Exclude.Dismissed = true
	p, err := newSiem(nop(), cfg, consumertest.NewNop())
	require.NoError(t, err)
	p.now = func() time.Time { return time.Unix(1_700_000_000, 0) }
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		var body strings.Builder
		for range rnd.IntN(80) {
			switch rnd.IntN(8) {
			case 0:
				fmt.Fprintf(&body, `{"broken":%d`+"\n", rnd.IntN(9))
			case 1:
				fmt.Fprintf(&body, "datetime:2023-06-0%d 10:20:30|Scan ID:%d|Event:New|Verdict:SPM\n", 1+rnd.IntN(9), rnd.IntN(9))
			case 2:
				fmt.Fprintf(&body, `{"Records":[{"eventVersion":"1.08","eventSource":"x","eventID":"%d"}, {"alert_id":"%d"}]}`+"\n", rnd.IntN(9), rnd.IntN(9))
			case 3:
				fmt.Fprintf(&body, "%s \t\n", with(fmt.Sprintf(`"dismissed":%t`, rnd.IntN(2) == 0)))
			default:
				fmt.Fprintf(&body, `{"alert_id":"%d","severity":"High","detection_type":"other"}`+"\n", rnd.IntN(99))
			}
		}
		scans := new(format.Scans)
		logs := plog.NewLogs()
		records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
		require.NoError(t, payload.Cut(strings.NewReader(body.String()), payload.Options{}, func(item payload.Item) error {
			_ = logrecord.WriteItem(&item, "", "", time.Unix(1_600_000_000, 0), scans, records.AppendEmpty())
			return nil
		}))
		// A filter, a transformation and a change of order.
		records.RemoveIf(func(plog.LogRecord) bool { return rnd.IntN(5) == 0 })
		for _, lr := range records.All() {
			if rnd.IntN(6) == 0 {
				lr.Body().SetStr(strings.Replace(lr.Body().Str(), "High", "Low!", 1))
			}
		}
		if rnd.IntN(2) == 0 {
			records.Sort(func(a, b plog.LogRecord) bool { return a.Body().Str() < b.Body().Str() })
		}

		ctx, shared := logrecord.ShareScans(t.Context(), scans)
		var out [3]plog.Logs
		for i := range out { // two pipelines, and one that does not know of the scans
			out[i] = plog.NewLogs()
			logs.CopyTo(out[i])
			use := ctx
			if i == 2 {
				use = t.Context()
			}
			if _, err := p.process(use, out[i]); err != nil && !errors.Is(err, processorhelper.ErrSkipProcessingData) {
				require.NoError(t, err)
			}
		}
		assert.Same(t, scans, shared.Reclaim())
		assert.Equal(t, out[2], out[0], "seed %d", seed)
		assert.Equal(t, out[2], out[1], "seed %d", seed)
	}
}

package findingstateprocessor

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

func TestPackedBatches(t *testing.T) {
	r := &rig{t: t, clock: start}
	var posts []post
	for _, id := range strings.Fields(strings.Repeat("f-1 f-2 f-3 ", 50)) {
		posts = append(posts, r.finding(id, ""))
	}
	logs := r.logs(posts...)
	plain, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	small, err := pack(logs)
	require.NoError(t, err)
	assert.Less(t, 3*len(small), len(plain))
	for _, data := range [][]byte{small, plain} { // the second as versions before wrote it
		got, err := unpack(data)
		require.NoError(t, err)
		assert.Equal(t, logs, got)
	}
	for _, data := range [][]byte{{packed}, small[:len(small)/2], append([]byte{packed}, plain...), []byte("text")} {
		_, err := unpack(data)
		assert.Error(t, err, "%.20q", data)
	}
}

// TestWaitingOfBefore: what waits uncompressed goes on too, and what cannot be read is given up without its neighbours.
func TestWaitingOfBefore(t *testing.T) {
	cfg := defaults()
	cfg.Release = onScanCompleted
	r := newRig(t, cfg)
	hold := func(data []byte) {
		tx, err := r.tracker.Begin(r.clock)
		require.NoError(t, err)
		tx.Route("s1", "running")
		require.NoError(t, tx.Hold("s1", data, 1))
		require.NoError(t, tx.Commit(context.Background()))
	}
	plain, err := (&plog.ProtoMarshaler{}).MarshalLogs(r.logs(r.finding("f-1", "").of("s1", "running")))
	require.NoError(t, err)
	hold(plain)
	hold([]byte("what is this"))
	assert.Empty(t, r.do(cfg, "scan s1: f-2"))
	assert.Equal(t, 3, r.tracker.Stats().Waiting)
	assert.Empty(t, r.do(cfg, "scan s1 completed"))
	assert.Equal(t, []string{"f-1 new", "f-2 new"}, r.do(cfg, "+1s"))
	assert.Zero(t, r.tracker.Stats().Waiting)
}

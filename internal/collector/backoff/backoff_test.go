package backoff

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestNext(t *testing.T) {
	b := Backoff{First: time.Second, Max: 10 * time.Second}
	assert.False(t, b.Waiting())
	for _, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		assert.Equal(t, want*time.Second, b.Next())
	}
	assert.True(t, b.Waiting())
	b.Reset()
	assert.False(t, b.Waiting())
	assert.Equal(t, time.Second, b.Next())
}

func TestJittered(t *testing.T) {
	b := Backoff{First: time.Second, Max: 10 * time.Second}
	different := map[time.Duration]bool{}
	for _, want := range []time.Duration{1, 2, 4, 8, 10, 10, 10} {
		wait := b.Jittered()
		assert.LessOrEqual(t, wait, want*time.Second)
		assert.GreaterOrEqual(t, wait, want*time.Second/2)
		different[wait] = true
	}
	assert.Greater(t, len(different), 4, "no jitter")
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		assert.NoError(t, Sleep(t.Context(), time.Minute))
		assert.Equal(t, time.Minute, time.Since(began))
		assert.NoError(t, Sleep(t.Context(), 0))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, Sleep(ctx, time.Hour), context.DeadlineExceeded)
		assert.ErrorIs(t, Sleep(ctx, 0), context.DeadlineExceeded)
		assert.Equal(t, time.Minute+time.Second, time.Since(began))
	})
}

package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReloader: broken files leave the last good ones in use, and that is said once.
func TestReloader(t *testing.T) {
	var failure error
	loads := 0
	load := func(context.Context) (*tls.Config, error) {
		loads++
		return &tls.Config{ServerName: string(rune('a' + loads))}, failure
	}
	r, err := NewReloader(t.Context(), time.Nanosecond, load)
	require.NoError(t, err)
	name := func() string {
		time.Sleep(time.Microsecond)
		c, err := r.Config(t.Context())
		require.NoError(t, err)
		return c.ServerName
	}
	assert.Equal(t, "c", name())
	failure = errors.New("no certificate")
	assert.Equal(t, "c", name())
	assert.ErrorIs(t, r.Failure(), failure)
	assert.NoError(t, r.Failure())
	failure = nil
	assert.Equal(t, "e", name())
	assert.NoError(t, r.Failure())

	once, err := NewReloader(t.Context(), 0, load)
	require.NoError(t, err)
	before := loads
	_, _ = once.Config(t.Context())
	assert.Equal(t, before, loads)

	failure = errors.New("no file")
	_, err = NewReloader(t.Context(), 0, load)
	assert.ErrorIs(t, err, failure)
}

package panopticas3exporter

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
)

// TestStoredFormStays: what a queue on disk holds is read after an upgrade. A change of this form needs another version.
func TestStoredFormStays(t *testing.T) {
	stored := "\x01" + "\x05other\x0a2026-09-15\x01a\x02\x02\x07{\"n\":1}\x07{\"n\":2}" + "\x05other\x0a2026-09-15\x01b\x02\x01\x00"
	got, err := form.Parts([]byte(stored))
	require.NoError(t, err)
	at := time.Unix(1, 0).UTC()
	assert.Equal(t, []part{
		{Key: objectstore.Partition{EventType: "other", Day: "2026-09-15", Account: "a"}, First: at, Items: []string{`{"n":1}`, `{"n":2}`}},
		{Key: objectstore.Partition{EventType: "other", Day: "2026-09-15", Account: "b"}, First: at, Items: []string{""}},
	}, got)
	assert.Equal(t, stored, string(form.Append(nil, got)))
	_, err = form.Parts([]byte("\x02" + stored[1:]))
	assert.ErrorContains(t, err, "not of this version")
}

// TestClassify: as long as some of what failed can get better, all of it is tried again.
func TestClassify(t *testing.T) {
	lost := &objectstore.Error{Err: errors.New("no such key"), Permanent: true}
	away := &objectstore.Error{Err: errors.New("away"), RetryAfter: time.Minute}
	assert.True(t, consumererror.IsPermanent(classify([]error{lost, lost})))
	assert.False(t, consumererror.IsPermanent(classify([]error{lost, away})))
	assert.False(t, consumererror.IsPermanent(classify([]error{errors.New("unknown")})))
	assert.ErrorContains(t, classify([]error{lost, away}), "Throttle (1m0s)")
}

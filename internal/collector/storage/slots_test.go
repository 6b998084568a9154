package storage

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// mapClient is a storage client in memory. It does all operations of a batch, or with err none.
type mapClient struct {
	storage.Client
	values map[string][]byte
	err    error
}

func (c *mapClient) Get(_ context.Context, key string) ([]byte, error) { return c.values[key], c.err }

func (c *mapClient) Batch(_ context.Context, ops ...*storage.Operation) error {
	if c.err != nil {
		return c.err
	}
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value = c.values[op.Key]
		case storage.Set:
			c.values[op.Key] = op.Value
		case storage.Delete:
			delete(c.values, op.Key)
		}
	}
	return nil
}

func newMapClient() *mapClient { return &mapClient{values: map[string][]byte{}} }

// text is what a client holds, for comparing.
func (c *mapClient) text() map[string]string {
	texts := map[string]string{}
	for key, value := range c.values {
		texts[key] = string(value)
	}
	return texts
}

func TestSlotsKeepTheirLayout(t *testing.T) {
	client := newMapClient()
	s := NewSlots(client, "window/", 1024)
	require.NoError(t, s.Write(t.Context(), Slot{0, []byte("a")}, Slot{1024, []byte("b")}, Slot{Number: 7}))
	assert.Equal(t, map[string]string{"slots": "2048", "window/0": "a", "window/1024": "b"}, client.text())
	require.NoError(t, s.Write(t.Context(), Slot{Number: 0}))
	assert.Equal(t, map[string]string{"slots": "2048", "window/1024": "b"}, client.text())

	read := map[int]string{}
	torn, err := NewSlots(client, "window/", 1024).Load(t.Context(), func(slot Slot) bool {
		if slot.Value != nil {
			read[slot.Number] = string(slot.Value)
		}
		return slot.Number != 3
	})
	require.NoError(t, err)
	assert.Equal(t, map[int]string{1024: "b"}, read)
	assert.Equal(t, 1, torn)
}

func TestSlotsGrowOnlyWhenWritten(t *testing.T) {
	client := newMapClient()
	s := NewSlots(client, "window/", 2)
	client.err = errors.New("full")
	require.ErrorIs(t, s.Write(t.Context(), Slot{0, []byte("a")}), client.err)
	client.err = nil
	require.NoError(t, s.Write(t.Context(), Slot{1, []byte("b")}))
	assert.Equal(t, map[string]string{"slots": "2", "window/1": "b"}, client.text())
}

func TestSlotsRefuseADamagedCount(t *testing.T) {
	for _, count := range []string{"many", "-1", strconv.Itoa(maxSlots + 1)} {
		client := newMapClient()
		client.values["slots"] = []byte(count)
		_, err := NewSlots(client, "window/", 1).Load(t.Context(), func(Slot) bool { return true })
		require.EqualError(t, err, "slots is damaged; remove the store of this component to begin anew", count)
	}
	require.Error(t, NewSlots(newMapClient(), "window/", 1).Write(t.Context(), Slot{maxSlots, []byte("a")}))
}

func TestCollectionUsesSlotsAgain(t *testing.T) {
	client := newMapClient()
	c := NewCollection(client, "line/")
	put := func(c *Collection, value string, slot int) {
		t.Helper()
		got, err := c.Put(t.Context(), []byte(value))
		require.NoError(t, err)
		require.Equal(t, slot, got)
	}
	put(c, "a", 0)
	put(c, "b", 1)
	put(c, "c", 2)
	require.NoError(t, c.Remove(t.Context(), []int{1}))
	put(c, "d", 1)
	require.NoError(t, c.Remove(t.Context(), []int{0}))
	assert.Equal(t, map[string]string{"slots": "3", "line/1": "d", "line/2": "c"}, client.text())

	again := NewCollection(client, "line/")
	var read []string
	torn, err := again.Load(t.Context(), func(slot Slot) bool {
		read = append(read, string(slot.Value))
		return slot.Number != 2
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"d", "c"}, read)
	assert.Equal(t, 1, torn)
	put(again, "e", 2) // the torn one
	put(again, "f", 0)
	put(again, "g", 3)
	assert.Equal(t, map[string]string{"slots": "4", "line/0": "f", "line/1": "d", "line/2": "e", "line/3": "g"}, client.text())
}

func TestCollectionAfterAFailedWrite(t *testing.T) {
	client := newMapClient()
	c := NewCollection(client, "line/")
	slot, err := c.Put(t.Context(), []byte("a"))
	require.NoError(t, err)
	client.err = errors.New("full")
	require.ErrorIs(t, c.Remove(t.Context(), []int{slot}), client.err)
	_, err = c.Put(t.Context(), []byte("b"))
	require.ErrorIs(t, err, client.err)
	client.err = nil
	got, err := c.Put(t.Context(), []byte("c"))
	require.NoError(t, err)
	assert.Equal(t, 1, got)
}

package storage

import (
	"context"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Collection keeps values in Slots that it picks itself: an empty one where there is one, so that the number of slots only grows
// to the most values that were ever kept at once. It is not safe for concurrent use.
type Collection struct {
	slots *Slots
	empty []int // slots below next without a value
	next  int   // the first slot that was never used
}

// NewCollection returns the collection of a client, under keys that begin with prefix. Call Load before anything else.
func NewCollection(client storage.Client, prefix string) *Collection {
	return &Collection{slots: NewSlots(client, prefix, 1)}
}

// Load calls use for every value that is kept. use reports whether it could read the value: torn counts those that it could not,
// and their slots are used again. An error means that not all values were read.
func (c *Collection) Load(ctx context.Context, use func(Slot) bool) (torn int, err error) {
	return c.slots.Load(ctx, func(slot Slot) bool {
		c.next = slot.Number + 1
		readable := slot.Value == nil || use(slot)
		if slot.Value == nil || !readable {
			c.empty = append(c.empty, slot.Number)
		}
		return readable
	})
}

// Put keeps a value, which must not be nil, and returns its slot.
func (c *Collection) Put(ctx context.Context, value []byte) (slot int, err error) {
	slot = c.next
	reused := len(c.empty) > 0
	if reused {
		slot = c.empty[len(c.empty)-1]
	}
	if err := c.slots.Write(ctx, Slot{Number: slot, Value: value}); err != nil {
		return 0, err
	}
	if reused {
		c.empty = c.empty[:len(c.empty)-1]
	} else {
		c.next++
	}
	return slot, nil
}

// Remove empties slots, in one batch. After an error they count as still full.
func (c *Collection) Remove(ctx context.Context, slots []int) error {
	writes := make([]Slot, len(slots))
	for i, slot := range slots {
		writes[i] = Slot{Number: slot}
	}
	if err := c.slots.Write(ctx, writes...); err != nil {
		return err
	}
	c.empty = append(c.empty, slots...)
	return nil
}

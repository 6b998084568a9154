package detectionprocessor

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	collectorstorage "github.com/siempipe/siempipe/internal/collector/storage"
	"github.com/siempipe/siempipe/internal/detect"
)

// slotsStep is the growth increment of the stored number of slots: a busy detector opens thousands of windows a minute.
const slotsStep = 1024

// windowStore keeps windows in a storage extension, each in the slot that the detector gave it. It is used by one goroutine at a
// time, the one that counts.
type windowStore struct {
	client storage.Client
	slots  *collectorstorage.Slots
}

func openWindowStore(ctx context.Context, host component.Host, id, owner component.ID) (*windowStore, error) {
	client, err := collectorstorage.Open(ctx, host, id, component.KindProcessor, owner, "windows")
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	return &windowStore{client: client, slots: collectorstorage.NewSlots(client, "window/", slotsStep)}, nil
}

// restore puts all stored windows into windows. It leaves out a broken one, whose slot is used again.
func (s *windowStore) restore(ctx context.Context, windows *detect.Windows) (restored, broken int, err error) {
	broken, err = s.slots.Load(ctx, func(slot collectorstorage.Slot) bool {
		if slot.Value == nil {
			return true
		}
		if windows.Restore(slot.Number, slot.Value) != nil {
			return false
		}
		restored++
		return true
	})
	if err != nil {
		return restored, broken, fmt.Errorf("storage: %w", err)
	}
	return restored, broken, nil
}

// write writes changed windows in one batch.
func (s *windowStore) write(ctx context.Context, changes []detect.Change) error {
	slots := make([]collectorstorage.Slot, len(changes))
	for i, c := range changes {
		slots[i] = collectorstorage.Slot{Number: c.Slot, Value: c.Data}
	}
	return s.slots.Write(ctx, slots...)
}

package detectionprocessor

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	collectorstorage "github.com/siempipe/siempipe/internal/collector/storage"
	"github.com/siempipe/siempipe/internal/detect"
)

const (
	storeName = "windows"
	// slotsKey holds how many slots may be in use. A storage client cannot list its keys.
	slotsKey = "slots"
	// slotsStep is by how much it grows, so that it is seldom written.
	slotsStep = 1024
	// maxSlots is more than any max_windows; a greater number in the store is damage.
	maxSlots = 1 << 24
)

// store keeps windows in a storage extension: each in its slot, under a key with its number. It is used by one goroutine
// at a time, the one that counts.
type store struct {
	client storage.Client
	slots  int // that the store knows of
}

func slotKey(slot int) string { return "window/" + strconv.Itoa(slot) }

func openStore(ctx context.Context, host component.Host, id, owner component.ID) (*store, error) {
	client, err := collectorstorage.Open(ctx, host, id, component.KindProcessor, owner, storeName)
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	return &store{client: client}, nil
}

// restore puts all windows of the store into windows. One that is broken is left out; its slot is used again.
func (s *store) restore(ctx context.Context, windows *detect.Windows) (restored, broken int, err error) {
	text, err := s.client.Get(ctx, slotsKey)
	if err != nil {
		return 0, 0, fmt.Errorf("storage: %w", err)
	}
	if text == nil {
		return 0, 0, nil
	}
	if s.slots, err = strconv.Atoi(string(text)); err != nil || s.slots < 0 || s.slots > maxSlots {
		return 0, 0, errors.New("storage: " + slotsKey + " is damaged; remove the store of this component to begin anew")
	}
	for from := 0; from < s.slots; from += slotsStep {
		ops := make([]*storage.Operation, 0, slotsStep)
		for slot := from; slot < min(from+slotsStep, s.slots); slot++ {
			ops = append(ops, storage.GetOperation(slotKey(slot)))
		}
		if err := s.client.Batch(ctx, ops...); err != nil {
			return restored, broken, fmt.Errorf("storage: %w", err)
		}
		for i, op := range ops {
			if op.Value == nil {
				continue
			}
			if windows.Restore(from+i, op.Value) != nil {
				broken++
			} else {
				restored++
			}
		}
	}
	return restored, broken, nil
}

// write writes changed slots in one batch.
func (s *store) write(ctx context.Context, changes []detect.Change) error {
	ops := make([]*storage.Operation, 0, len(changes)+1)
	slots := s.slots
	for _, c := range changes {
		if c.Data == nil {
			ops = append(ops, storage.DeleteOperation(slotKey(c.Slot)))
			continue
		}
		for c.Slot >= slots {
			slots += slotsStep
		}
		ops = append(ops, storage.SetOperation(slotKey(c.Slot), c.Data))
	}
	if slots != s.slots {
		ops = append(ops, storage.SetOperation(slotsKey, []byte(strconv.Itoa(slots))))
	}
	if err := s.client.Batch(ctx, ops...); err != nil {
		return err
	}
	s.slots = slots
	return nil
}

package storage

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

const (
	// slotsKey holds how many slots may be in use, in decimal digits. A storage client cannot list its keys.
	slotsKey = "slots"
	// slotsPerRead bounds the memory of one read at start.
	slotsPerRead = 256
	// maxSlots is far above what any component keeps. A larger number in the storage is damage, not a reason to read for hours.
	maxSlots = 1 << 24
)

var errSlots = errors.New(slotsKey + " is damaged; remove the store of this component to begin anew")

// Slots keeps values under the keys <prefix>0, <prefix>1 and so on of a storage client, and reads them all again at start. The
// caller says which slot a value gets; Collection does that for callers that do not care. It is not safe for concurrent use, and
// leaves closing the client to the caller.
type Slots struct {
	client storage.Client
	prefix string
	step   int
	count  int // as stored under slotsKey; every value is in a slot below it
}

// Slot is one slot and its content. Writing a nil Value empties the slot.
type Slot struct {
	Number int
	Value  []byte
}

// NewSlots returns the slots of a client. The stored count of slots grows by at least step, so that it is seldom written; step
// must be positive. Call Load before anything else: it reads how many slots there are.
func NewSlots(client storage.Client, prefix string, step int) *Slots {
	return &Slots{client: client, prefix: prefix, step: step}
}

// Load calls use for every slot below the stored count, in order. The value of an empty slot is nil. use reports whether it could
// read the value: torn counts those that it could not. An error means that not all values were read.
func (s *Slots) Load(ctx context.Context, use func(Slot) bool) (torn int, err error) {
	text, err := s.client.Get(ctx, slotsKey)
	if err != nil || text == nil {
		return 0, err
	}
	count, err := strconv.Atoi(string(text))
	if err != nil || count < 0 || count > maxSlots {
		return 0, errSlots
	}
	s.count = count
	for from := 0; from < count; from += slotsPerRead {
		ops := make([]*storage.Operation, 0, slotsPerRead)
		for number := from; number < min(from+slotsPerRead, count); number++ {
			ops = append(ops, storage.GetOperation(s.key(number)))
		}
		if err := s.client.Batch(ctx, ops...); err != nil {
			return torn, err
		}
		for i, op := range ops {
			if !use(Slot{Number: from + i, Value: op.Value}) {
				torn++
			}
		}
	}
	return torn, nil
}

// Write fills and empties slots, in one batch of the storage. After an error none of them counts as written.
func (s *Slots) Write(ctx context.Context, slots ...Slot) error {
	ops := make([]*storage.Operation, 0, len(slots)+1)
	count := s.count
	for _, slot := range slots {
		if slot.Value == nil {
			ops = append(ops, storage.DeleteOperation(s.key(slot.Number)))
			continue
		}
		for slot.Number >= count {
			count += s.step
		}
		ops = append(ops, storage.SetOperation(s.key(slot.Number), slot.Value))
	}
	if count > maxSlots {
		return fmt.Errorf("more than %d slots", maxSlots)
	}
	if count != s.count {
		ops = append(ops, storage.SetOperation(slotsKey, []byte(strconv.Itoa(count))))
	}
	if err := s.client.Batch(ctx, ops...); err != nil {
		return err
	}
	s.count = count
	return nil
}

func (s *Slots) key(number int) string { return s.prefix + strconv.Itoa(number) }

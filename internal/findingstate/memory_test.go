package findingstate

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// memory is a storage whose batches are done whole or not at all, as file_storage's are. It may break.
type memory struct {
	data map[string][]byte
	// failAfter fails the batch after so many that write; below 0 none.
	failAfter int
	bytes     int // written
}

func newMemory() *memory { return &memory{data: map[string][]byte{}, failAfter: -1} }

var errStorage = errors.New("disk full")

func (m *memory) Batch(_ context.Context, ops []Op) error {
	writes := slices.ContainsFunc(ops, func(op Op) bool { return op.Kind != Get })
	if writes && m.failAfter >= 0 {
		if m.failAfter--; m.failAfter < 0 {
			m.failAfter = 0
			return errStorage
		}
	}
	for i := range ops {
		switch op := &ops[i]; op.Kind {
		case Get:
			op.Value = slices.Clone(m.data[op.Key])
		case Set:
			m.data[op.Key] = slices.Clone(op.Value)
			m.bytes += len(op.Value)
		case Delete:
			delete(m.data, op.Key)
		}
	}
	return nil
}

func (m *memory) clone() *memory { return &memory{data: maps.Clone(m.data), failAfter: -1} }

package siemprocessor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"

	collectorstorage "github.com/siempipe/siempipe/internal/collector/storage"
)

// lineStore keeps the lines that wait in a storage extension, each in a slot of its own. Under slotsKey stands how many slots
// were ever in use, since a storage cannot list its keys; that number only grows, to the most lines that waited at once. It is not
// safe for concurrent use: the joiner locks.
type lineStore struct {
	client storage.Client
	slots  int
	free   []int
}

const (
	slotsKey = "slots"
	// readSlots is how many slots are read at once at start.
	readSlots = 256
)

func slotKey(slot int) string { return "line/" + strconv.Itoa(slot) }

func openLineStore(ctx context.Context, host component.Host, extension, id component.ID) (*lineStore, error) {
	client, err := collectorstorage.Open(ctx, host, extension, component.KindProcessor, id, "join")
	if err != nil {
		return nil, fmt.Errorf("join_storage: %w", err)
	}
	return &lineStore{client: client}, nil
}

// put stores a line and returns its slot: the deadline in nanoseconds since 1970, then its record as OTLP.
func (s *lineStore) put(ctx context.Context, l *line) (int, error) {
	record, err := new(plog.ProtoMarshaler).MarshalLogs(l.logs)
	if err != nil {
		return 0, err
	}
	value := binary.BigEndian.AppendUint64(nil, uint64(l.deadline.UnixNano()))
	value = append(value, record...)
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		if err := s.client.Set(ctx, slotKey(slot), value); err != nil {
			return 0, err
		}
		s.free = s.free[:n-1]
		return slot, nil
	}
	slot := s.slots
	err = s.client.Batch(ctx, storage.SetOperation(slotKey(slot), value), storage.SetOperation(slotsKey, []byte(strconv.Itoa(slot+1))))
	if err != nil {
		return 0, err
	}
	s.slots++
	return slot, nil
}

// remove frees slots.
func (s *lineStore) remove(ctx context.Context, slots []int) error {
	ops := make([]*storage.Operation, len(slots))
	for i, slot := range slots {
		ops[i] = storage.DeleteOperation(slotKey(slot))
	}
	err := s.client.Batch(ctx, ops...)
	if err == nil {
		s.free = append(s.free, slots...)
	}
	return err
}

// load reads the lines that waited when the collector ended. The lines have no key yet; torn counts what cannot be read.
func (s *lineStore) load(ctx context.Context) (lines []*line, torn int, err error) {
	text, err := s.client.Get(ctx, slotsKey)
	if err != nil || text == nil {
		return nil, 0, err
	}
	if s.slots, err = strconv.Atoi(string(text)); err != nil || s.slots < 0 {
		return nil, 0, errors.New("join_storage: what is stored there is of something else")
	}
	for from := 0; from < s.slots; from += readSlots {
		var ops []*storage.Operation
		for slot := from; slot < min(from+readSlots, s.slots); slot++ {
			ops = append(ops, storage.GetOperation(slotKey(slot)))
		}
		if err := s.client.Batch(ctx, ops...); err != nil {
			return nil, 0, err
		}
		for i, op := range ops {
			slot := from + i
			if op.Value == nil {
				s.free = append(s.free, slot)
				continue
			}
			l, ok := readLine(op.Value)
			if !ok {
				torn++
				s.free = append(s.free, slot)
				continue
			}
			l.slot, l.waits = slot, true
			lines = append(lines, l)
		}
	}
	return lines, torn, nil
}

func readLine(value []byte) (*line, bool) {
	if len(value) < 8 {
		return nil, false
	}
	logs, err := new(plog.ProtoUnmarshaler).UnmarshalLogs(value[8:])
	if err != nil || logs.LogRecordCount() != 1 || logs.ResourceLogs().Len() != 1 || logs.ResourceLogs().At(0).ScopeLogs().Len() != 1 {
		return nil, false
	}
	return &line{deadline: time.Unix(0, int64(binary.BigEndian.Uint64(value))), logs: logs}, true
}

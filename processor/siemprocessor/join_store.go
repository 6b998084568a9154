package siemprocessor

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"

	collectorstorage "github.com/siempipe/siempipe/internal/collector/storage"
)

// lineStore keeps the lines that wait in a storage extension. It is not safe for concurrent use: the joiner locks.
type lineStore struct {
	client storage.Client
	lines  *collectorstorage.Collection
}

func openLineStore(ctx context.Context, host component.Host, extension, id component.ID) (*lineStore, error) {
	client, err := collectorstorage.Open(ctx, host, extension, component.KindProcessor, id, "join")
	if err != nil {
		return nil, fmt.Errorf("join_storage: %w", err)
	}
	return &lineStore{client: client, lines: collectorstorage.NewCollection(client, "line/")}, nil
}

// put stores a line and returns its slot: the deadline in nanoseconds since 1970, then its record as OTLP.
func (s *lineStore) put(ctx context.Context, l *line) (int, error) {
	record, err := new(plog.ProtoMarshaler).MarshalLogs(l.logs)
	if err != nil {
		return 0, err
	}
	value := binary.BigEndian.AppendUint64(nil, uint64(l.deadline.UnixNano()))
	return s.lines.Put(ctx, append(value, record...))
}

// remove frees slots.
func (s *lineStore) remove(ctx context.Context, slots []int) error { return s.lines.Remove(ctx, slots) }

// load reads the lines that waited when the collector ended. The lines have no key yet; torn counts what cannot be read.
func (s *lineStore) load(ctx context.Context) (lines []*line, torn int, err error) {
	torn, err = s.lines.Load(ctx, func(slot collectorstorage.Slot) bool {
		l, ok := readLine(slot.Value)
		if ok {
			l.slot, l.waits = slot.Number, true
			lines = append(lines, l)
		}
		return ok
	})
	if err != nil {
		return nil, torn, fmt.Errorf("join_storage: %w", err)
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

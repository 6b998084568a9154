package findingstate

import (
	"context"
	"fmt"
)

// maxProbe bounds what is written to find out whether there is room.
const maxProbe = 16 << 20

// setFailed notes that a batch could not be written. The next probe writes twice as many bytes as the batch had. When a probe
// succeeded and the batch behind it failed all the same, the next one writes at least four times as many as that probe: in a file
// with holes, what fits into one place need not fit into the next.
func (t *Tracker) setFailed(ops []Op) {
	size := 0
	for i := range ops {
		size += len(ops[i].Value)
	}
	t.failed = min(max(2*size, 4*t.probed), maxProbe)
}

// probe finds out, after a batch could not be written, whether there is room again: it writes t.failed bytes and deletes them.
func (t *Tracker) probe(ctx context.Context) error {
	if t.failed == 0 {
		return nil
	}
	for _, op := range [...]Op{{Kind: Set, Key: keyProbe, Value: make([]byte, t.failed)}, {Kind: Delete, Key: keyProbe}} {
		if err := t.store.Batch(ctx, []Op{op}); err != nil {
			return fmt.Errorf("write the state: %w", err)
		}
	}
	t.failed, t.probed = 0, t.failed
	return nil
}

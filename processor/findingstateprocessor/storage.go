package findingstateprocessor

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/siempipe/siempipe/internal/findingstate"
)

// storageName is the name of our storage beside others that the same processor might have.
const storageName = "state"

// openStorage finds the storage extension and opens our part of it.
func openStorage(ctx context.Context, host component.Host, id, self component.ID) (storage.Client, error) {
	ext, ok := host.GetExtensions()[id]
	if !ok {
		return nil, fmt.Errorf("storage: there is no extension %s: define it under extensions and name it under service::extensions; "+
			"what is new about a finding can only be said by who remembers it across restarts", id)
	}
	s, ok := ext.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage: extension %s is no storage", id)
	}
	client, err := s.GetClient(ctx, component.KindProcessor, self, storageName)
	if err != nil {
		hint := ""
		if strings.Contains(err.Error(), "timeout") { // all that file_storage says of a file that is locked
			hint = "; is it in use by another collector, or by this processor in another pipeline? There it needs a name of its own"
		}
		return nil, fmt.Errorf("storage: %s: %w%s", id, err, hint)
	}
	return client, nil
}

// adapter lets the core use a Collector's storage.
type adapter struct{ client storage.Client }

var kinds = [...]storage.OpType{
	findingstate.Get: storage.Get, findingstate.Set: storage.Set, findingstate.Delete: storage.Delete,
}

// Batch does all operations in one batch of the storage.
func (a adapter) Batch(ctx context.Context, ops []findingstate.Op) error {
	all := make([]storage.Operation, len(ops))
	pointers := make([]*storage.Operation, len(ops))
	for i := range ops {
		all[i] = storage.Operation{Type: kinds[ops[i].Kind], Key: ops[i].Key, Value: ops[i].Value}
		pointers[i] = &all[i]
	}
	if err := a.client.Batch(ctx, pointers...); err != nil {
		return err
	}
	for i := range ops {
		if ops[i].Kind == findingstate.Get {
			ops[i].Value = all[i].Value
		}
	}
	return nil
}

package findingstateprocessor

import (
	"context"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/siempipe/siempipe/internal/findingstate"
)

// storageName is the name of our storage beside others that the same processor might have.
const storageName = "state"

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

// Package storage opens the storage extension that a component's configuration names, and keeps numbered values in it.
package storage

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Open opens the part of the storage extension id that belongs to the component owner of a kind. name tells several parts of
// one component apart; "" is allowed. The error says what to do, and not which key named the extension.
func Open(ctx context.Context, host component.Host, id component.ID, kind component.Kind, owner component.ID, name string) (storage.Client, error) {
	extension, ok := host.GetExtensions()[id]
	if !ok {
		return nil, fmt.Errorf("there is no extension %s: define it under extensions and name it under service::extensions", id)
	}
	s, ok := extension.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("extension %s is no storage", id)
	}
	client, err := s.GetClient(ctx, kind, owner, name)
	if err != nil {
		hint := ""
		if strings.Contains(err.Error(), "timeout") { // all that file_storage says of a file that is locked
			hint = fmt.Sprintf("; is it in use by another collector, or by this %s in another pipeline? There it needs a name of its own", strings.ToLower(kind.String()))
		}
		return nil, fmt.Errorf("%s: %w%s", id, err, hint)
	}
	return client, nil
}

package logrecord

import (
	"context"

	"github.com/siempipe/siempipe/internal/process"
)

// Dropped says what a siem processor drops. It travels in the context of each batch, since a component cannot see the
// configuration of another: a finding_state processor behind warns when it does not get to see what it must remember.
type Dropped struct {
	process.Exclude
	Suppressed bool
	ScanEvents bool
}

type droppedKey struct{}

// WithDropped returns a context that says what was dropped.
func WithDropped(ctx context.Context, dropped Dropped) context.Context {
	return context.WithValue(ctx, droppedKey{}, dropped)
}

// DroppedBy is what the last siem processor in front said; the zero value where none said anything.
func DroppedBy(ctx context.Context) Dropped {
	dropped, _ := ctx.Value(droppedKey{}).(Dropped)
	return dropped
}

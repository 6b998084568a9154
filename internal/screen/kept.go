package screen

import "context"

// Kept is what a siem processor keeps from the components behind it. It goes with the context of each batch: a component cannot
// see the configuration of another, and a finding_state processor must say when it cannot work by what it is shown.
type Kept struct {
	Exclude
	Suppressed bool
	ScanEvents bool
}

type keptKey struct{}

// WithKept returns a context that says what was kept back.
func WithKept(ctx context.Context, kept Kept) context.Context {
	return context.WithValue(ctx, keptKey{}, kept)
}

// KeptOf is what the last siem processor in front kept back; the zero value where none said anything.
func KeptOf(ctx context.Context) Kept {
	kept, _ := ctx.Value(keptKey{}).(Kept)
	return kept
}

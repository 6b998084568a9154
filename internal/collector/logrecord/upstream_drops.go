package logrecord

import (
	"context"

	"github.com/siempipe/siempipe/internal/process"
)

// UpstreamDrops says what a siem processor earlier in the pipeline drops. It travels in the context of each batch, since a component
// cannot see the configuration of another: a finding_state processor warns if it does not receive what it must remember.
type UpstreamDrops struct {
	process.Exclude
	Suppressed bool
	ScanEvents bool
}

type upstreamDropsKey struct{}

// WithUpstreamDrops returns a context that says what was dropped.
func WithUpstreamDrops(ctx context.Context, drops UpstreamDrops) context.Context {
	return context.WithValue(ctx, upstreamDropsKey{}, drops)
}

// UpstreamDropsOf is what the last siem processor before this component said; the zero value if none said anything.
func UpstreamDropsOf(ctx context.Context) UpstreamDrops {
	drops, _ := ctx.Value(upstreamDropsKey{}).(UpstreamDrops)
	return drops
}

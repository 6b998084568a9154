package findingstateprocessor

import (
	"testing"

	"github.com/siempipe/siempipe/internal/collector/configschema"
	"github.com/siempipe/siempipe/internal/findingstate"
)

func TestConfigSchema(t *testing.T) {
	configschema.Check(t, "processor/finding_state", createDefaultConfig(), configschema.Enums{
		"emit": emits, "release": releases, "dispositions_without_tenant": dispositions,
	}, configschema.Minimums{
		"max_waiting_bytes": minMaxBytes, "cache_findings": findingstate.MinCacheFindings,
	})
}

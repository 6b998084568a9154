package detectionprocessor

import (
	"testing"

	"github.com/siempipe/siempipe/internal/collector/configschema"
)

func TestConfigSchema(t *testing.T) {
	configschema.Check(t, "processor/detection", createDefaultConfig(), nil, configschema.Minimums{
		"max_windows": minWindows, "max_window_bytes": minWindowBytes,
	})
}

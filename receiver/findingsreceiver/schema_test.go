package findingsreceiver

import (
	"testing"

	"github.com/siempipe/siempipe/internal/collector/configschema"
)

func TestConfigSchema(t *testing.T) {
	configschema.Check(t, "receiver/findings", createDefaultConfig(), nil)
}

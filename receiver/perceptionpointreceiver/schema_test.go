package perceptionpointreceiver

import (
	"testing"

	"github.com/siempipe/siempipe/internal/collector/configschema"
)

func TestConfigSchema(t *testing.T) {
	configschema.Check(t, "receiver/perception_point", createDefaultConfig(), configschema.Enums{
		"region": {"us", "eu", "au"},
	})
}

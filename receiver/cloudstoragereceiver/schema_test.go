package cloudstoragereceiver

import (
	"testing"

	"github.com/siempipe/siempipe/internal/collector/configschema"
	"github.com/siempipe/siempipe/internal/format"
)

func TestConfigSchema(t *testing.T) {
	formats := append([]string{format.Auto}, format.Names()...)
	configschema.Check(t, "receiver/cloud_storage", createDefaultConfig(), configschema.Enums{
		"format": formats,
	})
}

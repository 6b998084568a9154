package cloudstoragereceiver

import (
	"testing"

	"github.com/siempipe/siempipe/internal/configschema"
	"github.com/siempipe/siempipe/internal/source"
)

func TestConfigSchema(t *testing.T) {
	formats := append([]string{source.Auto}, source.Names()...)
	configschema.Check(t, "receiver/cloud_storage", createDefaultConfig(), configschema.Enums{
		"format": formats,
	})
}

package siemprocessor

import (
	"maps"
	"testing"

	"github.com/siempipe/siempipe/internal/collector/configschema"
)

func TestConfigSchema(t *testing.T) {
	enums := configschema.Enums{"scan_severities[]": {"Information", "Low", "Medium", "High", "Critical", "none"}}
	maps.Copy(enums, values())
	configschema.Check(t, "processor/siem", createDefaultConfig(), enums)
}

package panopticas3exporter

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"
)

// TestReadme holds the examples of README.md and its table of keys to the configuration.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	examples := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		var conf struct{ Exporters map[string]map[string]any }
		require.NoError(t, yaml.Unmarshal([]byte(block), &conf), block)
		for name, settings := range conf.Exporters {
			examples++
			cfg := createDefaultConfig().(*Config)
			require.NoError(t, confmap.NewFromStringMap(settings).Unmarshal(cfg), name)
			assert.NoError(t, confmap.Validate(cfg), name)
		}
	}
	assert.Positive(t, examples)

	all := confmap.New()
	require.NoError(t, all.Marshal(createDefaultConfig()))
	for _, key := range all.AllKeys() {
		key, _, _ = strings.Cut(key, "::")
		assert.Contains(t, string(text), "| `"+key, "the table of keys")
	}
}

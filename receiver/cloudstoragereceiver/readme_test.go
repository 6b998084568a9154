package cloudstoragereceiver

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"github.com/siempipe/siempipe/internal/collector/configschema"
)

// TestReadme holds the examples of README.md and its table of keys to the configuration.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	examples := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		var conf struct{ Receivers map[string]map[string]any }
		require.NoError(t, yaml.Unmarshal([]byte(block), &conf), block)
		for name, settings := range conf.Receivers {
			examples++
			require.NoError(t, load(settings), name)
		}
	}
	assert.Positive(t, examples)

	// Every key of the schema stands in the table, with those above it or behind a comma.
	schema, err := configschema.Schema("receiver/cloud_storage", createDefaultConfig(), nil)
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(text), "## Configuration")
	table, _, _ = strings.Cut(table, "## Permissions")
	keys := regexp.MustCompile(`"([a-z_0-9]+)": \{`).FindAllStringSubmatch(string(schema), -1)
	require.Greater(t, len(keys), 30)
	for _, key := range keys {
		switch key[1] {
		case "properties", "items":
			continue
		}
		assert.Regexp(t, "[`.]"+key[1]+"[`.]", table)
	}
}

func load(settings map[string]any) error {
	cfg := createDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(settings).Unmarshal(cfg); err != nil {
		return err
	}
	return confmap.Validate(cfg)
}

package detectionprocessor

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"github.com/siempipe/siempipe/internal/detect"
	"github.com/siempipe/siempipe/internal/detect/sigma"
)

// TestReadme holds the example of README.md and its table of keys to the configuration.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	examples := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		var conf struct{ Processors map[string]map[string]any }
		require.NoError(t, yaml.Unmarshal([]byte(block), &conf), block)
		examples++
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, confmap.NewFromStringMap(conf.Processors["detection"]).Unmarshal(cfg))
		require.NoError(t, confmap.Validate(cfg))
		assert.True(t, cfg.Storage != nil)
		set, _, _, err := cfg.loader().Load()
		require.NoError(t, err)
		all, _, _, err := createDefaultConfig().(*Config).loader().Load()
		require.NoError(t, err)
		assert.Len(t, set.Rules, len(all.Rules)-len(cfg.DisabledRules))
		assert.Contains(t, string(text), "36 rules are built in")
		assert.Len(t, all.Rules, 36, "README.md, CHANGELOG.md")
	}
	assert.Equal(t, 1, examples)

	all := confmap.New()
	require.NoError(t, all.Marshal(createDefaultConfig()))
	for _, key := range all.AllKeys() {
		key, _, _ = strings.Cut(key, "::")
		assert.Contains(t, string(text), "| `"+key+"`", "the table of keys")
	}
}

// TestAuthorsPage runs the rule and reads the mapping that docs/detections.md shows.
func TestAuthorsPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/detections.md")
	require.NoError(t, err)
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	require.Len(t, blocks, 2)
	for i := range blocks {
		blocks[i], _, _ = strings.Cut(blocks[i], "```")
	}
	mapping, err := sigma.ParseMapping([]byte(blocks[1]), sigma.Builtin())
	require.NoError(t, err)
	parsed, problems := sigma.Parse("page", []byte(blocks[0]))
	require.Empty(t, problems)
	set, problems := detect.NewRuleSet(parsed, mapping)
	require.Empty(t, problems)
	require.Len(t, set.Rules, 1)
	n, failures, problems := set.RunTests(set.Rules[0])
	assert.Equal(t, 2, n)
	assert.Empty(t, failures)
	assert.Empty(t, problems)
}

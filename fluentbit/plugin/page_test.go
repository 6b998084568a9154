package plugin

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocumentation holds the page to the code.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/fluent-bit.md")
	require.NoError(t, err)
	examples := func(name string) ([]byte, error) { return os.ReadFile("../../examples/fluent-bit/" + name) }
	want, err := Page(page, examples)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(page), "make generate writes it")
	for _, what := range []string{"keys", "tail-to-s3.yaml", "tail-to-s3.conf", "syslog-to-siem.yaml", "syslog-to-siem.conf", "plugins.conf", "parsers.conf"} {
		assert.Contains(t, string(page), madeBegin+what+" -->\n")
	}
	for _, broken := range []string{"<!-- made: keys", "<!-- made: keys -->\n", "<!-- made: none.yaml -->\n<!-- end -->\n"} {
		_, err = Page([]byte(broken), examples)
		assert.Error(t, err, broken)
	}

	seen := make(map[string]bool)
	for _, k := range Keys {
		assert.Regexp(t, regexp.MustCompile(`^[a-z0-9_]+$`), k.Name)
		assert.False(t, seen[k.Name], k.Name)
		seen[k.Name] = true
		assert.Regexp(t, regexp.MustCompile(`\.$`), k.Meaning, k.Name)
	}
}

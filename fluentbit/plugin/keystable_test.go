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
	want, err := WithKeys(page)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(page), "make generate writes it")
	_, err = WithKeys([]byte("a page"))
	assert.Error(t, err)

	seen := make(map[string]bool)
	for _, k := range Keys {
		assert.Regexp(t, regexp.MustCompile(`^[a-z0-9_]+$`), k.Name)
		assert.False(t, seen[k.Name], k.Name)
		seen[k.Name] = true
		assert.Regexp(t, regexp.MustCompile(`\.$`), k.Meaning, k.Name)
	}
}

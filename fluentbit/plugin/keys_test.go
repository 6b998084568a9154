package plugin

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestKeys: each key stands once in the table, is spelled as the host allows and has a meaning that is a sentence.
func TestKeys(t *testing.T) {
	seen := make(map[string]bool)
	for _, k := range Keys {
		assert.Regexp(t, regexp.MustCompile(`^[a-z0-9_]+$`), k.Name)
		assert.False(t, seen[k.Name], k.Name)
		seen[k.Name] = true
		assert.Regexp(t, regexp.MustCompile(`\.$`), k.Meaning, k.Name)
	}
}

package siemprocessor

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/format"
)

// The table of verdicts in the README is that of the core.
func TestSeveritiesAreDocumented(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, row := range format.VerdictSeverities {
		assert.Contains(t, string(readme), fmt.Sprintf("| `%s` %s | %s |", row.Code, row.Word, row.Severity))
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPagesAreCurrent holds the committed pages to the tables.
func TestPagesAreCurrent(t *testing.T) {
	for _, p := range pages {
		want, err := p.make("../..")
		require.NoError(t, err, p.file)
		got, err := os.ReadFile(filepath.Join("../..", p.file))
		require.NoError(t, err)
		if string(got) != string(want) {
			t.Errorf("%s is not what the tables say: run make generate", p.file)
		}
		assert.NotContains(t, string(want), "%!", p.file)
	}
}

func page(t *testing.T, file string) string {
	t.Helper()
	for _, p := range pages {
		if p.file == file {
			text, err := p.make("../..")
			require.NoError(t, err)
			return string(text)
		}
	}
	t.Fatal("no page " + file)
	return ""
}

// TestNoEmptyCells: a row without meaning would show as one.
func TestNoEmptyCells(t *testing.T) {
	for _, file := range []string{"docs/pipe-messages.md", "docs/detections.md"} {
		assert.False(t, strings.Contains(page(t, file), "||"), file)
	}
}

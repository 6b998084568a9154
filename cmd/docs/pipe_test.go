package main

import (
	"strings"
	"testing"

	"github.com/siempipe/siempipe/internal/encode/pipe"
)

// TestEveryKeyIsExplained: a row without meaning or class would show as an empty cell.
func TestEveryKeyIsExplained(t *testing.T) {
	text := page(t, "docs/pipe-messages.md")
	for _, table := range pipe.Tables {
		if table.Doc == "" || !strings.Contains(text, "### "+table.Doc+"\n") {
			t.Errorf("table %s is not in the page", table.Name)
		}
		for _, r := range table.Rows {
			if r.Doc == "" || classes[r.Class] == "" || strings.ContainsAny(r.Doc, "|\n") {
				t.Errorf("%s, %s: meaning %q, class %q", table.Name, r.Key, r.Doc, classes[r.Class])
			}
		}
	}
}

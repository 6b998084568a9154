package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/siempipe/siempipe/internal/pipe"
)

func TestPageIsCurrent(t *testing.T) {
	got, err := os.ReadFile("../../../docs/pipe-messages.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, page()) {
		t.Fatal("docs/pipe-messages.md is not what the tables say: run make generate")
	}
}

// TestEveryKeyIsExplained: a row without meaning or class would show as an empty cell.
func TestEveryKeyIsExplained(t *testing.T) {
	text := string(page())
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
	if strings.Contains(text, "||") || strings.Contains(text, "%!") {
		t.Error("broken table or format")
	}
}

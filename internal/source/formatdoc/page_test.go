package main

import (
	"os"
	"testing"

	"github.com/siempipe/siempipe/internal/source"
)

func TestPageIsWritten(t *testing.T) {
	written, err := os.ReadFile("../../../docs/log-formats.md")
	if err != nil || string(written) != string(page()) {
		t.Errorf("docs/log-formats.md is not what the tables say (%v): run make generate", err)
	}
}

func TestEachFormatHasItsNote(t *testing.T) {
	n := 0
	for i := range source.Formats {
		f := &source.Formats[i]
		if f.IsLog() != (notes[f.Name] != "") {
			t.Errorf("%s: a note belongs to each log format and to no other", f.Name)
		}
		if f.IsLog() {
			n++
		}
	}
	if n != len(notes) {
		t.Errorf("%d notes for %d log formats", len(notes), n)
	}
}

package main

import (
	"testing"

	"github.com/siempipe/siempipe/internal/format"
)

func TestEachFormatHasItsNote(t *testing.T) {
	n := 0
	for i := range format.Formats {
		f := &format.Formats[i]
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

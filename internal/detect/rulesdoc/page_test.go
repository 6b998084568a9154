package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestPageIsCurrent(t *testing.T) {
	want, err := page()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../../docs/detections.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("docs/detections.md is not what the rules and tables say: run make generate")
	}
	if strings.Contains(string(want), "||") || strings.Contains(string(want), "%!") {
		t.Error("broken table or format")
	}
}

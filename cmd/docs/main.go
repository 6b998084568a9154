// Command docs writes the pages under docs/ that are made from the tables of the code, and fills in what is made inside other pages.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run . -root ../..

// pages are the pages that are made. make is given the project's root.
var pages = []struct {
	file string
	make func(root string) ([]byte, error)
}{
	{"docs/log-formats.md", formatsPage},
	{"docs/pipe-messages.md", pipePage},
	{"docs/detections.md", detectionsPage},
	{"docs/fluent-bit.md", fluentBitPage},
}

func main() {
	root := flag.String("root", ".", "the project's root")
	flag.Parse()
	for _, p := range pages {
		text, err := p.make(*root)
		if err == nil {
			err = os.WriteFile(filepath.Join(*root, p.file), text, 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "docs: %s: %v\n", p.file, err)
			os.Exit(1)
		}
	}
}

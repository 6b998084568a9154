// Command formatdoc writes docs/log-formats.md from the tables that the parsers use.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "", "file to write")
	flag.Parse()
	if *out == "" {
		fmt.Fprintln(os.Stderr, "formatdoc: -o is missing")
		os.Exit(2)
	}
	if err := os.WriteFile(*out, page(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "formatdoc:", err)
		os.Exit(1)
	}
}

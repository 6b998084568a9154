// Command pagedoc writes into the plugin's page what is made in it: the table of keys, and the examples.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/siempipe/siempipe/fluentbit/plugin"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pagedoc PAGE EXAMPLES")
		os.Exit(2)
	}
	page, err := os.ReadFile(os.Args[1])
	if err == nil {
		page, err = plugin.Page(page, func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(os.Args[2], name)) })
	}
	if err == nil {
		err = os.WriteFile(os.Args[1], page, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pagedoc:", err)
		os.Exit(1)
	}
}

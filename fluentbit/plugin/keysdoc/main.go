// Command keysdoc writes the table of the plugin's keys into a page, between the lines that mark its place.
package main

import (
	"fmt"
	"os"

	"github.com/siempipe/siempipe/fluentbit/plugin"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: keysdoc PAGE")
		os.Exit(2)
	}
	page, err := os.ReadFile(os.Args[1])
	if err == nil {
		page, err = plugin.WithKeys(page)
	}
	if err == nil {
		err = os.WriteFile(os.Args[1], page, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "keysdoc:", err)
		os.Exit(1)
	}
}

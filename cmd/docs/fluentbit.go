package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/siempipe/siempipe/fluentbit/plugin"
)

// What is made in the documentation stands between a line that says what it is and this one.
const (
	madeBegin = "<!-- made: "
	madeEnd   = "<!-- end -->\n"
)

// fluentBitPage is docs/fluent-bit.md: written by hand, with the table of keys and the example files put into it.
func fluentBitPage(root string) ([]byte, error) {
	page, err := os.ReadFile(filepath.Join(root, "docs/fluent-bit.md"))
	if err != nil {
		return nil, err
	}
	return fill(page, func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(root, "examples/fluent-bit", name))
	})
}

// fill puts into a page what is made in it: the table of the plugin's keys where "keys" is asked for, and the
// files of a folder where their names are. read reads one of those by its name.
func fill(page []byte, read func(name string) ([]byte, error)) ([]byte, error) {
	var out bytes.Buffer
	for rest := string(page); ; {
		before, after, ok := strings.Cut(rest, madeBegin)
		out.WriteString(before)
		if !ok {
			return out.Bytes(), nil
		}
		what, after, ok := strings.Cut(after, " -->\n")
		if !ok {
			return nil, fmt.Errorf("a line that begins with %q does not end", madeBegin)
		}
		_, after, ok = strings.Cut(after, madeEnd)
		if !ok {
			return nil, fmt.Errorf("%s%s has no end", madeBegin, what)
		}
		rest = after
		fmt.Fprintf(&out, "%s%s -->\n", madeBegin, what)
		if what == "keys" {
			writeKeys(&out)
		} else {
			text, err := read(what)
			if err != nil {
				return nil, err
			}
			language := "yaml"
			if filepath.Ext(what) == ".conf" {
				language = "ini"
			}
			fmt.Fprintf(&out, "```%s\n%s```\n", language, text)
		}
		out.WriteString(madeEnd)
	}
}

// writeKeys writes the table of the plugin's keys.
func writeKeys(out *bytes.Buffer) {
	out.WriteString("| key | outputs | value | default | meaning |\n|---|---|---|---|---|\n")
	for i := range plugin.Keys {
		k := &plugin.Keys[i]
		outputs := "all"
		if len(k.Outputs) > 0 {
			outputs = strings.Join(k.Outputs, ", ")
		}
		initial := "none"
		if k.Default != "" {
			initial = "`" + k.Default + "`"
		}
		fmt.Fprintf(out, "| `%s` | %s | %s | %s | %s |\n", k.Name, outputs, k.Type(), initial, strings.ReplaceAll(k.Meaning, "|", `\|`))
	}
}

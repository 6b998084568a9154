package plugin

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
)

// What is made in the documentation stands between a line that says what it is and this one.
const (
	madeBegin = "<!-- made: "
	madeEnd   = "<!-- end -->\n"
)

// Page is the documentation with everything that is made in it: the table of Keys where "keys" is asked for, and the
// files of a folder where their names are. read reads one of those by its name.
func Page(page []byte, read func(name string) ([]byte, error)) ([]byte, error) {
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

// writeKeys writes the table of Keys.
func writeKeys(out *bytes.Buffer) {
	out.WriteString("| key | outputs | value | default | meaning |\n|---|---|---|---|---|\n")
	for i := range Keys {
		k := &Keys[i]
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

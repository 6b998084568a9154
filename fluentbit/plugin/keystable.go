package plugin

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Lines of the documentation between which the table of keys stands.
const (
	tableBegin = "<!-- keys: made by make generate -->\n"
	tableEnd   = "<!-- end of keys -->\n"
)

// WithKeys is the page with the table of Keys in its place.
func WithKeys(page []byte) ([]byte, error) {
	before, rest, ok := bytes.Cut(page, []byte(tableBegin))
	_, after, ok2 := bytes.Cut(rest, []byte(tableEnd))
	if !ok || !ok2 {
		return nil, errors.New("the page has no place for the keys: the lines " + strings.TrimSpace(tableBegin) + " and " + strings.TrimSpace(tableEnd))
	}
	var out bytes.Buffer
	out.Write(before)
	out.WriteString(tableBegin)
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
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s |\n", k.Name, outputs, k.Type(), initial, strings.ReplaceAll(k.Meaning, "|", `\|`))
	}
	out.WriteString(tableEnd)
	out.Write(after)
	return out.Bytes(), nil
}

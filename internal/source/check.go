package source

import (
	"errors"
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// Check says why a raw text cannot be a record of a format ("" or Auto: of any) without mapping it: a receiver can tell
// its sender so at once. Text that passes may still break its schema. fields is the header line that it stands under.
func Check(raw, format, fields string) error {
	text := strings.Trim(raw, blanks)
	if strings.HasPrefix(text, "{") {
		if err := jsonscan.Valid(text); err != nil {
			return fmt.Errorf("broken JSON: %w", err)
		}
		return nil
	}
	if IsHeader(format, text) || format == vpcFlowName { // the processor may be told the fields of flow logs
		return nil
	}
	if fields != "" && (format == "" || format == Auto) { // a line of a flow log, most likely, or else nobody's
		return nil
	}
	in := Input{Raw: text, JSONErr: errNoObject, defaultFields: DefaultFlowFields, header: defaultFlowHeader}
	f, named := Lookup(format)
	switch {
	case named && f.claims(&in):
		return nil
	case named:
		return fmt.Errorf("no record of format %s", f.Name)
	}
	for i := range Formats {
		if Formats[i].claims(&in) {
			return nil
		}
	}
	return errors.New("neither a JSON object nor a line of a known format")
}

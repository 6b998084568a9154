package source

import (
	"errors"
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/pipe"
)

// Check says why a raw text cannot be a record of a format ("" or Auto: of any) without mapping it: a receiver can tell
// its sender so at once. Text that passes may still break its schema.
func Check(raw, format string) error {
	text := strings.Trim(raw, blanks)
	if strings.HasPrefix(text, "{") {
		if err := jsonscan.Valid(text); err != nil {
			return fmt.Errorf("broken JSON: %w", err)
		}
		return nil
	}
	if pipe.IsLine(text) {
		return nil
	}
	if f, ok := Lookup(format); ok {
		return fmt.Errorf("no record of format %s", f.Name)
	}
	return errors.New("neither a JSON object nor a line of a known format")
}

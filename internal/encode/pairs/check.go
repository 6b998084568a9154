package pairs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/encode"
)

// Check reports everything that is wrong with overflow and fields of c; the messages name the keys. Escape is the encoding's
// to check.
func Check(s *Syntax, c encode.Config) error {
	errs := []error{encode.CheckOverflow(c.Overflow)}
	for i, f := range c.Fields {
		if err := checkKey(s, f.Key); err != nil {
			errs = append(errs, fmt.Errorf("fields[%d].key: %w", i, err))
		}
		for j := range i {
			if c.Fields[j].Key == f.Key {
				errs = append(errs, fmt.Errorf("fields[%d].key: %q is there twice", i, f.Key))
				break
			}
		}
		for alternative := range strings.SplitSeq(f.From, "|") {
			if _, err := parsePath(alternative); err != nil && f.From != "" {
				errs = append(errs, fmt.Errorf("fields[%d].from: %w", i, err))
			}
		}
	}
	return errors.Join(errs...)
}

// maxKey is the longest key of the user's in bytes: keys are never shortened.
const maxKey = 64

func checkKey(s *Syntax, key string) error {
	switch {
	case key == "":
		return errors.New("must not be empty")
	case len(key) > maxKey:
		return fmt.Errorf("longer than %d bytes", maxKey)
	case key == s.PartKey:
		return fmt.Errorf("%s numbers the parts of a split message", s.PartKey)
	case strings.TrimSpace(key) != key:
		return fmt.Errorf("%q starts or ends with a blank", key)
	}
	return s.CheckKey(key)
}

package perceptionpointreceiver

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/collector/config/configopaque"
)

// maxTokenBytes is far above what a token has: the file of another kind is an error, not a header of a megabyte.
const maxTokenBytes = 4096

// tokenSource gives out the token: the configured one, or what the file holds now.
type tokenSource struct {
	fixed configopaque.String
	file  string
}

func (s tokenSource) get() (string, error) {
	if s.file == "" {
		return string(s.fixed), nil
	}
	content, err := os.ReadFile(s.file)
	if err != nil {
		return "", fmt.Errorf("token_file: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if err := checkToken(token); err != nil {
		return "", fmt.Errorf("token_file: %s: %w", s.file, err)
	}
	return token, nil
}

// checkToken says what is wrong with a token, without a part of it.
func checkToken(token string) error {
	switch {
	case token == "":
		return errors.New("empty")
	case len(token) > maxTokenBytes:
		return fmt.Errorf("%d bytes, longer than %d", len(token), maxTokenBytes)
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("holds a blank or a character that no header may")
		}
	}
	return nil
}

// Package encodings is the list of encodings: configuration, documentation and senders find each by its row.
package encodings

import (
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/pipe"
)

// Encoding is one way to write records as messages.
type Encoding struct {
	Name string   // in configurations
	Doc  string   // one line for the documentation
	Page string   // where the documentation describes it, from the project's root
	Keys []string // of encode.Config that it takes: escape, overflow, fields
	// Check reports everything that is wrong with the keys that it takes.
	Check func(encode.Config) error
	// New returns an encoder for a valid configuration.
	New func(encode.Config) (encode.Encoder, error)
}

// Keys of encode.Config.
const (
	KeyEscape   = "escape"
	KeyOverflow = "overflow"
	KeyFields   = "fields"
)

// All are the encodings. A new one is a row here, a folder internal/encode/<name> and a folder testdata/<name>.
var All = []Encoding{
	{
		Name: "pipe", Doc: "`key:value|key:value`, the format in which Perception Point sends its scans", Page: "docs/pipe-messages.md",
		Keys: []string{KeyEscape, KeyOverflow, KeyFields}, Check: pipe.Check, New: pipe.New,
	},
}

// Default is the encoding of configurations that name none.
const Default = "pipe"

// Check reports everything that is wrong with the configuration of a named encoding, each mistake by its key.
func Check(name string, c encode.Config) error {
	e, err := Find(name)
	if err != nil {
		return err
	}
	return e.Check(c)
}

// Find returns the encoding of a name; "" is Default. The error names encoding and lists what there is.
func Find(name string) (*Encoding, error) {
	if name == "" {
		name = Default
	}
	names := make([]string, len(All))
	for i := range All {
		if names[i] = All[i].Name; names[i] == name {
			return &All[i], nil
		}
	}
	return nil, fmt.Errorf("encoding: %q, want one of %s", name, strings.Join(names, ", "))
}

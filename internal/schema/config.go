package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Config chooses a schema. Its zero value is Native.
type Config struct {
	Name    string // of a row of Schemas; "" is Native
	Version string // one of the row's Versions; "" is the first
}

// Validate says what is wrong with c; the error names schema or version, and lists what there is.
func (c Config) Validate() error {
	_, _, err := c.find()
	return err
}

// New returns what applies the schema.
func (c Config) New() (*Mapping, error) {
	s, version, err := c.find()
	if err != nil || s.New == nil {
		return &Mapping{}, err
	}
	m, err := s.New(version)
	if err != nil {
		return nil, fmt.Errorf("schema: %s: %w", s.Name, err)
	}
	return Apply(m), nil
}

func (c Config) find() (s *Schema, version string, err error) {
	name := c.Name
	if name == "" {
		name = Native
	}
	i := slices.IndexFunc(Schemas, func(s Schema) bool { return s.Name == name })
	if i < 0 {
		return nil, "", fmt.Errorf("schema: %q, want one of %s", c.Name, strings.Join(Names(), ", "))
	}
	s = &Schemas[i]
	switch {
	case c.Version == "" && len(s.Versions) > 0:
		return s, s.Versions[0], nil
	case c.Version != "" && len(s.Versions) == 0:
		return nil, "", fmt.Errorf("version: %q, but schema %s has no versions", c.Version, name)
	case c.Version != "" && !slices.Contains(s.Versions, c.Version):
		return nil, "", fmt.Errorf("version: %q, want one of %s", c.Version, strings.Join(s.Versions, ", "))
	}
	return s, c.Version, nil
}

// Names are the names of all schemas.
func Names() []string {
	names := make([]string, len(Schemas))
	for i := range Schemas {
		names[i] = Schemas[i].Name
	}
	return names
}

// Package configschema makes the JSON Schema of a component's configuration from its Go type, its defaults and the
// comments of its fields, so that config.schema.json can only say what the component takes. It is for tests alone.
package configschema

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"
)

// durationPattern is the one mdatagen writes for time.Duration.
const durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`

// Enums are the values that keys of type string take, by the key's path ("server_side_encryption::type").
type Enums map[string][]string

// Minimums are the smallest values that whole numbers take, by the key's path.
type Minimums map[string]int64

// Schema is the schema of the component id, as "receiver/findings", whose default configuration is config, a pointer to
// a struct. Keys are described by the comments of their fields. minimums may be left out.
func Schema(id string, config any, enums Enums, minimums ...Minimums) ([]byte, error) {
	w := walker{enums: enums, minimums: Minimums{}, types: map[string]string{}, comments: comments{}}
	for _, m := range minimums {
		maps.Copy(w.minimums, m)
	}
	s, err := w.of(reflect.ValueOf(config), "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	for path := range enums {
		if w.types[path] != "string" {
			return nil, fmt.Errorf("%s: values for %s, which is no key of type string", id, path)
		}
	}
	for path := range w.minimums {
		if w.types[path] != "integer" {
			return nil, fmt.Errorf("%s: a minimum for %s, which is no key of a whole number", id, path)
		}
	}
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.ID = reflect.TypeOf(config).Elem().PkgPath()
	s.Title = id
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

type schema struct {
	Schema               string             `json:"$schema,omitempty"`
	ID                   string             `json:"$id,omitempty"`
	Title                string             `json:"title,omitempty"`
	Description          string             `json:"description,omitempty"`
	Type                 any                `json:"type,omitempty"`
	Default              any                `json:"default,omitempty"`
	Enum                 []string           `json:"enum,omitempty"`
	Pattern              string             `json:"pattern,omitempty"`
	Minimum              *int64             `json:"minimum,omitempty"`
	Items                *schema            `json:"items,omitempty"`
	Properties           map[string]*schema `json:"properties,omitempty"`
	AdditionalProperties any                `json:"additionalProperties,omitempty"`
}

type walker struct {
	enums    Enums
	minimums Minimums
	types    map[string]string // of the keys that enums and minimums can be about
	comments comments
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// of is the schema of the value at a key path; the value is the default.
func (w *walker) of(v reflect.Value, path string) (*schema, error) {
	t := v.Type()
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return &schema{Type: "string", Pattern: durationPattern, Default: fmt.Sprint(v)}, nil
	case strings.HasPrefix(t.Name(), "Optional[") && strings.HasSuffix(t.PkgPath(), "/configoptional"):
		section := reflect.New(t)
		section.Elem().Set(v)
		s, err := w.of(section.MethodByName("GetOrInsertDefault").Call(nil)[0], path)
		if err == nil && s.Type == "object" {
			s.Type = []string{"object", "null"} // a key without a value switches the section on with its defaults
		}
		return s, err
	case t.Kind() == reflect.Pointer && v.IsNil():
		return w.of(reflect.Zero(t.Elem()), path)
	case t.Kind() == reflect.Pointer:
		return w.of(v.Elem(), path)
	case t.Name() == "MapList" && strings.HasSuffix(t.PkgPath(), "/configopaque"):
		return &schema{Type: "object", AdditionalProperties: &schema{Type: "string"}}, nil
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return w.text(v, path), nil
	}
	switch t.Kind() {
	case reflect.Struct:
		s := &schema{Type: "object", Properties: map[string]*schema{}, AdditionalProperties: false}
		return s, w.fields(s, v, path)
	case reflect.String:
		return w.text(v, path), nil
	case reflect.Bool:
		return &schema{Type: "boolean", Default: v.Bool()}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return w.integer(v.Int(), nil, path), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return w.integer(v.Uint(), new(int64), path), nil
	case reflect.Float32, reflect.Float64:
		return &schema{Type: "number", Default: v.Float()}, nil
	case reflect.Slice:
		items, err := w.element(t, path)
		s := &schema{Type: "array", Items: items}
		if v.Len() > 0 {
			s.Default = v.Interface()
		}
		return s, err
	case reflect.Map:
		values, err := w.element(t, path)
		return &schema{Type: "object", AdditionalProperties: values}, err
	case reflect.Interface:
		return &schema{}, nil
	}
	return nil, fmt.Errorf("%s: no schema for %s", path, t)
}

// element is the schema of what a list or map holds, which has no default.
func (w *walker) element(t reflect.Type, path string) (*schema, error) {
	s, err := w.of(reflect.Zero(t.Elem()), path+"[]")
	if err == nil {
		s.Default = nil
	}
	return s, err
}

func (w *walker) text(v reflect.Value, path string) *schema {
	s := &schema{Type: "string", Enum: w.enums[path]}
	w.types[path] = "string"
	if !v.IsZero() {
		s.Default = fmt.Sprint(v)
	}
	return s
}

// integer is the schema of a whole number; least is what its type allows, nil for any.
func (w *walker) integer(value any, least *int64, path string) *schema {
	w.types[path] = "integer"
	if minimum, ok := w.minimums[path]; ok {
		least = &minimum
	}
	return &schema{Type: "integer", Minimum: least, Default: value}
}

func (w *walker) fields(s *schema, v reflect.Value, path string) error {
	texts, err := w.comments.of(v.Type())
	if err != nil {
		return err
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("mapstructure"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case options == "squash":
			if err := w.fields(s, v.Field(i), path); err != nil {
				return err
			}
		default:
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			key := name
			if path != "" {
				key = path + "::" + name
			}
			child, err := w.of(v.Field(i), key)
			if err != nil {
				return err
			}
			child.Description = texts[f.Name]
			s.Properties[name] = child
		}
	}
	return nil
}

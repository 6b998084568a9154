package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// texts is a list of texts. A list of one may be written as the text alone, and is printed so.
type texts []string

// MarshalJSON writes a single text without brackets, as Panoptica's console does in the second statement.
func (t texts) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// UnmarshalJSON takes a text, a number, a truth value or a list of them: conditions are written in all these ways.
func (t *texts) UnmarshalJSON(data []byte) error {
	var values []any
	if data[0] != '[' {
		data = append(append([]byte{'['}, data...), ']')
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&values); err != nil {
		return err
	}
	*t = make(texts, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case string, json.Number, bool:
			(*t)[i] = fmt.Sprint(v)
		default:
			return fmt.Errorf("%s: want a text or a list of texts", data)
		}
	}
	return nil
}

// principal is who a statement is about. Only AWS principals can be roles.
type principal struct {
	AWS    texts
	others bool // services, federated and canonical users
}

// MarshalJSON writes the AWS principals as a list, as Panoptica's console does.
func (p *principal) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string][]string{"AWS": p.AWS})
}

// UnmarshalJSON takes "*" or an object of lists by kind.
func (p *principal) UnmarshalJSON(data []byte) error {
	var star string
	if json.Unmarshal(data, &star) == nil {
		if star != "*" {
			return fmt.Errorf(`principal %q, want "*" or an object`, star)
		}
		p.AWS = texts{star}
		return nil
	}
	var kinds map[string]texts
	if err := json.Unmarshal(data, &kinds); err != nil {
		return err
	}
	for kind, names := range kinds {
		switch kind {
		case "AWS":
			p.AWS = names
		case "Service", "Federated", "CanonicalUser":
			p.others = true
		default:
			return fmt.Errorf("principal of kind %q", kind)
		}
	}
	return nil
}

// statements may be written as a single one.
type statements []*statement

// UnmarshalJSON takes one or a list.
func (s *statements) UnmarshalJSON(data []byte) error {
	if data[0] == '{' {
		data = append(append([]byte{'['}, data...), ']')
	}
	var all []*statement
	if err := strict(data, &all); err != nil {
		return err
	}
	*s = all
	return nil
}

// parsePolicy reads a policy, also when it is wrapped as aws s3api get-bucket-policy prints it.
func parsePolicy(text []byte) (*policy, error) {
	var wrapped struct{ Policy *string }
	if json.Unmarshal(text, &wrapped) == nil && wrapped.Policy != nil {
		text = []byte(*wrapped.Policy)
	}
	p := &policy{}
	if err := strict(text, p); err != nil {
		return nil, err
	}
	var errs []error
	if len(p.Statement) == 0 {
		errs = append(errs, errors.New("no statement"))
	}
	for i, s := range p.Statement {
		if s == nil {
			errs = append(errs, fmt.Errorf("statement %d: is null", i+1))
			continue
		}
		bad := func(text string) { errs = append(errs, fmt.Errorf("%s: %s", s.name(i), text)) }
		if s.Effect != allow && s.Effect != deny {
			bad(fmt.Sprintf("effect %q, want Allow or Deny", s.Effect))
		}
		if (s.Principal == nil) == (s.NotPrincipal == nil) {
			bad("want one of Principal and NotPrincipal")
		}
		if (s.Action == nil) == (s.NotAction == nil) {
			bad("want one of Action and NotAction")
		}
		if (s.Resource == nil) == (s.NotResource == nil) {
			bad("want one of Resource and NotResource")
		}
	}
	return p, errors.Join(errs...)
}

// strict reads one value, of which it knows every member: a misspelled one would be a grant that is not there.
func strict(data []byte, to any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

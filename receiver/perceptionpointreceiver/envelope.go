package perceptionpointreceiver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// envelope is the members of a page that count.
type envelope struct {
	next    string
	hasMore bool // true unless the page denies it
	results []json.RawMessage
	isList  bool // there was a member results
}

// readEnvelope goes through the page member by member: 32 MiB of "1,1,1" must not become a slice of a gigabyte.
func readEnvelope(body []byte) (e envelope, err error) {
	e.hasMore = true
	d := json.NewDecoder(bytes.NewReader(body))
	if err := expect(d, '{'); err != nil {
		return e, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return e, err
		}
		switch name {
		case "next":
			var next *string
			if err := d.Decode(&next); err != nil {
				return e, err
			}
			e.next = ""
			if next != nil {
				e.next = *next
			}
		case "has_more":
			var more *bool
			if err := d.Decode(&more); err != nil {
				return e, err
			}
			e.hasMore = more == nil || *more
		case "results":
			if e.isList {
				return e, badPage("results stands twice")
			}
			e.isList = true
			if e.results, err = readResults(d); err != nil {
				return e, err
			}
		default:
			var other json.RawMessage
			if err := d.Decode(&other); err != nil {
				return e, err
			}
		}
	}
	if err := expect(d, '}'); err != nil {
		return e, err
	}
	if _, err := d.Token(); err != io.EOF {
		return e, errors.New("text after the page")
	}
	return e, nil
}

func readResults(d *json.Decoder) (results []json.RawMessage, err error) {
	switch token, err := d.Token(); {
	case err != nil:
		return nil, err
	case token == nil: // null for none
		return nil, nil
	case token != json.Delim('['):
		return nil, badPage("results is no list")
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		if len(results) == maxPageRecords {
			return nil, badPage("more than %d records", maxPageRecords)
		}
		results = append(results, raw)
	}
	return results, expect(d, ']')
}

func expect(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("%v where %v is due", token, want)
	}
	return nil
}

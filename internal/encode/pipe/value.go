package pipe

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
)

// path is one alternative of Row.From.
type path struct {
	fact  fact
	whole string // name of a member, dots and all
	outer string // name of a member that is an object
	inner string // name of that object's member

	wholeID, outerID int32 // in the encoder's names
}

type fact uint8

const (
	noFact fact = iota
	factTime
	factReceived
	factEventType
	factAccountID
	factTenantID
	factFormat
	factID
	factSeverity
	factError
	factBody
)

// factNames are the names of facts; a new one is a row here and a case in appendFact.
var factNames = [...]string{
	factTime: "@time", factReceived: "@received", factEventType: "@event_type", factAccountID: "@account_id", factTenantID: "@tenant_id",
	factFormat: "@format", factID: "@id", factSeverity: "@severity", factError: "@error", factBody: "@body",
}

func parsePath(s string) (path, error) {
	if s == "" {
		return path{}, errors.New("must not be empty")
	}
	if s[0] == '@' {
		for i, name := range factNames {
			if name == s {
				return path{fact: fact(i)}, nil
			}
		}
		return path{}, fmt.Errorf("%q, want one of %s", s, strings.Join(factNames[1:], ", "))
	}
	p := path{whole: s}
	p.outer, p.inner, _ = strings.Cut(s, ".")
	return p, nil
}

// lookUp appends the value at p to values; false when the record has none. null is none, an empty string is one.
func (e *Encoder) lookUp(p *path, rec *record.Record) bool {
	if p.fact != noFact {
		before := len(e.values)
		e.values = appendFact(e.values, p.fact, rec)
		return len(e.values) > before
	}
	m := e.names.last(e.members, p.wholeID)
	if m == nil && p.inner != "" {
		if outer := e.names.last(e.members, p.outerID); outer != nil && outer.Kind == jsonscan.Object {
			var err error
			if e.nested, _, err = jsonscan.Members(e.nested[:0], outer.Value); err == nil {
				m = last(e.nested, p.inner)
			}
		}
	}
	if m == nil || m.Kind == jsonscan.Null {
		return false
	}
	e.appendText(m)
	return true
}

// last finds a member of an inner object by name; of several the last.
func last(members []jsonscan.Member, name string) *jsonscan.Member {
	for i := len(members) - 1; i >= 0; i-- {
		if m := &members[i]; m.Name == name || m.NameEscaped && m.Key() == name {
			return m
		}
	}
	return nil
}

// appendText appends a value as text: strings decoded, numbers and booleans as written, an array of such joined by
// commas, and everything else (also an array with a comma in one of its strings, which could forge an element) as JSON.
func (e *Encoder) appendText(m *jsonscan.Member) {
	value := m.Value // m may stand in nested, which appendList uses
	switch {
	case m.Kind == jsonscan.String && !m.Escaped:
		e.values = append(e.values, value[1:len(value)-1]...)
	case m.Kind == jsonscan.String:
		e.values = jsonscan.AppendUnquoted(e.values, value[1:len(value)-1])
	default:
		before := len(e.values)
		if m.Kind != jsonscan.Array || !e.appendList(value) {
			e.values = append(e.values[:before], value...)
		}
	}
}

func (e *Encoder) appendList(array string) bool {
	elements, err := jsonscan.Elements(e.nested[:0], array)
	e.nested = elements
	if err != nil {
		return false
	}
	for i := range elements {
		if i > 0 {
			e.values = append(e.values, ',')
		}
		from := len(e.values)
		switch el := &elements[i]; el.Kind {
		case jsonscan.String:
			e.values = jsonscan.AppendUnquoted(e.values, el.Value[1:len(el.Value)-1])
			if from == len(e.values) && len(elements) == 1 { // [""] is not []
				return false
			}
		case jsonscan.Number, jsonscan.Bool:
			e.values = append(e.values, el.Value...)
		default:
			return false
		}
		if bytes.IndexByte(e.values[from:], ',') >= 0 {
			return false
		}
	}
	return true
}

func appendFact(dst []byte, f fact, rec *record.Record) []byte {
	switch f {
	case factTime:
		if rec.Time.IsZero() {
			return dst
		}
		return perceptionpoint.AppendEpoch(dst, rec.Time)
	case factReceived:
		if rec.Received.IsZero() {
			return dst
		}
		return perceptionpoint.AppendEpoch(dst, rec.Received)
	case factEventType:
		return append(dst, rec.EventType...)
	case factAccountID:
		return append(dst, rec.AccountID...)
	case factTenantID:
		return append(dst, rec.TenantID...)
	case factFormat:
		return append(dst, rec.Format...)
	case factID:
		return append(dst, rec.ID...)
	case factSeverity:
		return append(dst, rec.Severity.String()...)
	case factError:
		return append(dst, rec.Error...)
	case factBody:
		return append(dst, rec.Body...)
	}
	return dst
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

package pairs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
)

// path is one alternative of Row.From.
type path struct {
	fact  fact
	whole string // name of a member, dots and all
	outer string // name of a member that is an object
	inner string // name of that object's member

	wholeID, outerID int32 // numbers that names gave
}

// fact is something that a record says itself, its body aside.
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

// appendFact appends a fact of rec; nothing when rec does not say it.
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

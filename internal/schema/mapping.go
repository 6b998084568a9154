package schema

import (
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Mapping applies a schema to records. Its zero value is Native, which changes nothing and costs nothing. It is for one
// goroutine.
type Mapping struct {
	mapper Mapper // nil is Native
	body   []byte
}

// Apply returns a Mapping that applies m.
func Apply(m Mapper) *Mapping { return &Mapping{mapper: m} }

// maxBody is the largest buffer in bytes that a Mapping keeps from one record to the next.
const maxBody = 256 << 10

// Map replaces the body of rec by its body in the schema, and returns what is known of that.
//
// An invalid record stays as it is. So does the body of a record that the schema cannot express; that record is flagged: its
// Error says why, and so does err. It is to be sent like the others.
func (m *Mapping) Map(rec *record.Record, known jsonscan.Known) (jsonscan.Known, error) {
	if m.mapper == nil || rec.EventType == record.Invalid {
		return known, nil
	}
	body, err := m.mapper.Map(m.body[:0], rec, known)
	if cap(body) <= maxBody {
		m.body = body
	}
	if err != nil {
		rec.Error = err.Error()
		return known, err
	}
	rec.Body = string(body)
	return jsonscan.Known{}, nil
}

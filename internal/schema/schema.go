// Package schema maps bodies of records to the schema in which a SIEM wants them. A schema is applied last, right before a
// record is encoded or becomes a line of an object: filters, detections and finding_state read the native body.
package schema

import (
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Mapper maps the bodies of records to one version of a schema. It may keep scratch buffers: use one for each goroutine.
type Mapper interface {
	// Map appends the body of rec in the schema to dst: one JSON object on one line. What has no place in the schema goes to
	// the schema's own place for it; no value is invented. known is what is known of rec.Body, its zero value allowed.
	//
	// The error says what the schema demands and the record does not have. dst then comes back unchanged. rec is neither
	// changed nor kept.
	Map(dst []byte, rec *record.Record, known jsonscan.Known) ([]byte, error)
}

// Schema is what bodies may look like on their way out.
type Schema struct {
	Name     string   // in configurations
	Doc      string   // one line for the documentation
	Versions []string // the first is the default; none when the schema has no versions
	// New returns a Mapper to one of Versions, "" when there are none. nil leaves bodies as they are.
	New func(version string) (Mapper, error)
}

// Schemas are all schemas. A new one is a row here, a folder internal/schema/<name> and a folder testdata/<name>.
var Schemas = []Schema{
	{Name: Native, Doc: "the body as siempipe parsed it: Panoptica's SIEM schema, Panther's columns, or the scan"},
}

// Native is the schema of configurations that name none.
const Native = "native"

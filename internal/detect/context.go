package detect

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/siempipe/siempipe/internal/detect/sigma"
	"github.com/siempipe/siempipe/internal/jsonscan"
)

// maxContext is the largest context of a finding, in bytes, as in Panther; a larger one is replaced by an error.
const maxContext = 200 << 10

// contextField is one member of a context.
type contextField struct {
	Name    string // of the member
	Field   string
	Default string // text when the field is absent; with HasDefault
	// HasDefault says that the member is always there.
	HasDefault bool
	// Null says that a null in the record stays null.
	Null bool
}

// Context is a named set of fields that tell the story of a match.
type Context struct {
	Name, Doc string
	Fields    []contextField
}

// Contexts are the named contexts; documentation is generated from them.
var Contexts = []Context{
	{
		// Keys, order and defaults of aws_rule_context in panther-labs/panther-analysis; the default of eventSource is a
		// slip there that consumers may know by now, so it stays.
		Name: "aws", Doc: "who did what from where in AWS CloudTrail",
		Fields: []contextField{
			{Name: "eventName", Field: "eventName", Default: "<MISSING_EVENT_NAME>", HasDefault: true, Null: true},
			{Name: "eventSource", Field: "eventSource", Default: "<MISSING_ACCOUNT_ID>", HasDefault: true, Null: true},
			{Name: "awsRegion", Field: "awsRegion", Default: "<MISSING_AWS_REGION>", HasDefault: true, Null: true},
			{Name: "recipientAccountId", Field: "recipientAccountId", Default: "<MISSING_ACCOUNT_ID>", HasDefault: true, Null: true},
			{Name: "sourceIPAddress", Field: "sourceIPAddress", Default: "<MISSING_SOURCE_IP>", HasDefault: true, Null: true},
			{Name: "userAgent", Field: "userAgent", Default: "<MISSING_USER_AGENT>", HasDefault: true, Null: true},
			{Name: "userIdentity", Field: "userIdentity", Default: "<MISSING_USER_IDENTITY>", HasDefault: true, Null: true},
		},
	},
	{
		Name: "azure_signin", Doc: "who signed in to what from where in Azure",
		Fields: []contextField{
			{Name: "tenantId", Field: "tenantId", Default: "<NO_TENANTID>", HasDefault: true},
			{Name: "source_ip", Field: "properties.ipAddress", Default: "<NO_SOURCEIP>", HasDefault: true},
			{Name: "actor_user", Field: "actor_user", Default: "<NO_ACTORUSER>", HasDefault: true},
			{Name: "resourceDisplayName", Field: "properties.resourceDisplayName", Default: "<NO_RESOURCEDISPLAYNAME>", HasDefault: true},
			{Name: "resourceId", Field: "properties.resourceId", Default: "<NO_RESOURCEID>", HasDefault: true},
		},
	},
	{
		Name: "gcp", Doc: "who did what from where in GCP audit logs",
		Fields: []contextField{
			{Name: "methodName", Field: "protoPayload.methodName"},
			{Name: "serviceName", Field: "protoPayload.serviceName"},
			{Name: "principalEmail", Field: "protoPayload.authenticationInfo.principalEmail"},
			{Name: "callerIp", Field: "protoPayload.requestMetadata.callerIp"},
			{Name: "resourceName", Field: "protoPayload.resourceName"},
			{Name: "status", Field: "protoPayload.status"},
		},
	},
}

// contextSpec is what a rule says of its context: fields, or one field whose object it is.
type contextSpec struct {
	fields []contextField
	object string
}

// parseContext reads the name of a context, {field} for the object at that field, or a list of fields.
func parseContext(n *yaml.Node) (contextSpec, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		if len(n.Value) > 0 && n.Value[0] == '{' {
			t, err := parseTemplate(n.Value)
			if err != nil {
				return contextSpec{}, err
			}
			if len(t.parts) != 1 || t.parts[0].field == "" || len(t.parts[0].filters) > 0 {
				return contextSpec{}, fmt.Errorf("%s: want one field and nothing else", n.Value)
			}
			return contextSpec{object: t.parts[0].field}, nil
		}
		i := slices.IndexFunc(Contexts, func(c Context) bool { return c.Name == n.Value })
		if i < 0 {
			return contextSpec{}, fmt.Errorf("no context is named %q", n.Value)
		}
		return contextSpec{fields: Contexts[i].Fields}, nil
	case yaml.SequenceNode:
		var spec contextSpec
		for _, entry := range n.Content {
			if entry.Kind != yaml.ScalarNode || entry.Value == "" {
				return spec, fmt.Errorf("line %d: want the name of a field", entry.Line)
			}
			spec.fields = append(spec.fields, contextField{Name: entry.Value, Field: entry.Value})
		}
		return spec, nil
	}
	return contextSpec{}, fmt.Errorf("want a name, {field} or a list of fields")
}

func (c *contextSpec) names() []string {
	if c.object != "" {
		return []string{c.object}
	}
	names := make([]string, len(c.fields))
	for i, f := range c.fields {
		names[i] = f.Field
	}
	return names
}

// appendJSON appends the context of a record, an object.
func (c *contextSpec) appendJSON(dst []byte, fields fieldSet, body string) []byte {
	from := len(dst)
	if c.object != "" {
		if v, ok := fields[c.object].First(body); ok && v.Kind == jsonscan.Object {
			dst = v.AppendJSON(dst)
		} else {
			dst = append(dst, "{}"...)
		}
	} else {
		dst = append(dst, '{')
		for _, f := range c.fields {
			dst = f.appendJSON(dst, from+1, fields[f.Field], body)
		}
		dst = append(dst, '}')
	}
	if size := len(dst) - from; size > maxContext {
		dst = append(dst[:from], `{"_error":`...)
		dst = jsonscan.AppendQuoted(dst, fmt.Sprintf("the context has %d bytes, more than %d", size, maxContext))
		dst = append(dst, '}')
	}
	return dst
}

func (f *contextField) appendJSON(dst []byte, first int, field *sigma.Field, body string) []byte {
	var scratch [4]sigma.Value
	values := field.Values(scratch[:0], body, false)
	name := func() {
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = append(jsonscan.AppendQuoted(dst, f.Name), ':')
	}
	for _, v := range values {
		if v.Kind != jsonscan.Null || f.Null {
			name()
			return v.AppendJSON(dst)
		}
	}
	if f.HasDefault {
		name()
		dst = jsonscan.AppendQuoted(dst, f.Default)
	}
	return dst
}

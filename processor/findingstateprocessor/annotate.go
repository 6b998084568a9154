package findingstateprocessor

import (
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/findingstate"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Members of a body that say what is new, where bodies are annotated.
const (
	memberChange    = "siem_change"
	memberFields    = "siem_changed_fields"
	memberFirstSeen = "siem_first_seen"
	memberLastSeen  = "siem_last_seen"
)

// annotate says on a record what is new about it.
func annotate(lr plog.LogRecord, o *findingstate.Observation, body bool) {
	attrs := lr.Attributes()
	attrs.PutStr(record.AttrChange, string(o.Change))
	if len(o.Fields) > 0 {
		list := attrs.PutEmptySlice(record.AttrChangedFields)
		list.EnsureCapacity(len(o.Fields))
		for _, name := range o.Fields {
			list.AppendEmpty().SetStr(name)
		}
	} else {
		attrs.Remove(record.AttrChangedFields)
	}
	if !body {
		return
	}
	switch b := lr.Body(); b.Type() {
	case pcommon.ValueTypeStr:
		b.SetStr(annotated(b.Str(), o))
	case pcommon.ValueTypeMap:
		b.Map().PutStr(memberChange, string(o.Change))
		b.Map().Remove(memberFields)
		if len(o.Fields) > 0 {
			list := b.Map().PutEmptySlice(memberFields)
			for _, name := range o.Fields {
				list.AppendEmpty().SetStr(name)
			}
		}
	}
}

// annotated is a JSON object with what is new about it at its end, in place of what it said of that before.
func annotated(body string, o *findingstate.Observation) string {
	out := make([]byte, 0, len(body)+64)
	if strings.Contains(body, `"`+memberChange) { // of this processor in another collector
		out = withoutAnnotation(out, body)
	} else {
		out = append(out, strings.TrimRight(body, " \t\r\n")...)
		out = out[:len(out)-1]
	}
	if len(out) > 1 {
		out = append(out, ',')
	}
	out = append(out, `"`+memberChange+`":"`...)
	out = append(out, o.Change...)
	out = append(out, '"')
	if len(o.Fields) > 0 {
		out = append(out, `,"`+memberFields+`":[`...)
		for i, name := range o.Fields {
			if i > 0 {
				out = append(out, ',')
			}
			out = jsonscan.AppendQuoted(out, name)
		}
		out = append(out, ']')
	}
	return string(append(out, '}'))
}

// withoutAnnotation appends the object without its closing brace and our members.
func withoutAnnotation(out []byte, body string) []byte {
	members, _, err := jsonscan.Members(nil, body)
	if err != nil { // cannot be: it was observed
		return append(out, '{')
	}
	out = append(out, '{')
	for i := range members {
		m := &members[i]
		if key := m.Key(); key == memberChange || key == memberFields {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = append(out, m.Name...)
		out = append(out, '"', ':')
		out = append(out, m.Value...)
	}
	return out
}

// putUnseen makes the record of a finding that did not come again. Its body holds what the state knows, which is enough to
// find it by; it is a finding of the schema, but of no attack path are the risk_params known that the schema asks for.
func putUnseen(lr plog.LogRecord, u *findingstate.Unseen, now time.Time) {
	body := []byte{'{'}
	text := func(name, value string) {
		if value == "" {
			return
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = append(body, '"')
		body = append(body, name...)
		body = append(body, '"', ':')
		body = jsonscan.AppendQuoted(body, value)
	}
	text("alert_id", u.AlertID)
	text("tenant_id", u.TenantID)
	text("account_id", u.AccountID)
	text("severity", u.Severity.String())
	if u.EventType != record.AttackPath {
		text("detection_type", u.EventType)
	}
	text(memberChange, string(findingstate.NotSeen))
	text(memberFirstSeen, u.FirstSeen.Format(time.RFC3339))
	text(memberLastSeen, u.LastSeen.Format(time.RFC3339))
	rec := record.Record{
		Body: string(append(body, '}')), Received: now, Severity: u.Severity, EventType: u.EventType,
		AccountID: u.AccountID, TenantID: u.TenantID, Format: u.Format, ID: u.AlertID,
	}
	logrecord.Write(&rec, lr)
	lr.Attributes().PutStr(record.AttrChange, string(findingstate.NotSeen))
}

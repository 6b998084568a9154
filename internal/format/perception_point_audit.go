package format

import (
	"errors"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema/panoptica"
)

// Perception Point's audit event, one element of "results" of GET /api/v1/audit-events/:
// https://docs.perception-point.io/WP/Content/PP/API-Audit.htm
//
// The vendor publishes no fields, so the event goes on as it came. Its id, time and organization are looked for under the
// names that the API's other records and audit logs in general have.

// perceptionPointAudit is the event type of audit events.
const perceptionPointAudit = "PerceptionPoint.Audit"

var (
	auditIDs   = [...]string{"full_id", "uuid", "event_id", "id"}
	auditTimes = [...]string{"timestamp", "created_at", "created", "event_time", "time", "datetime", "date"}
)

// claimsPerceptionPointAudit takes nothing: no mark of these events is known. Whoever has them names the format, as the
// perception_point receiver does.
func claimsPerceptionPointAudit(*Input) bool { return false }

func parsePerceptionPointAudit(p *Parser, in *Input, rec *record.Record) error {
	if !in.IsObject {
		if in.JSONErr != nil {
			return in.JSONErr
		}
		return errors.New("not a JSON object")
	}
	rec.Body = p.rewrite(in, nil, nil)
	rec.EventType = perceptionPointAudit
	rec.TenantID = p.opts.TenantID
	rec.AccountID = textOrNumber(in.Get("organization_id"))
	for _, name := range auditIDs {
		if rec.ID = textOrNumber(in.Get(name)); rec.ID != "" {
			break
		}
	}
	if rec.ID == "" {
		rec.ID = contentID(rec.Body)
	}
	for _, name := range auditTimes {
		m := in.Get(name)
		if m == nil {
			continue
		}
		if t, ok := perceptionpoint.ParseEpoch(textOrNumber(m)); ok && t.Unix() < firstMilliseconds {
			rec.Time = t
			break
		}
		if t, ok := readInstant(m); ok {
			rec.Time = t.UTC()
			break
		}
		if t, ok := panoptica.ParseDateTime(text(m) + "Z"); ok && m.Kind == jsonscan.String { // as the API's _cursor has it, without a zone
			rec.Time = t
			break
		}
	}
	return nil
}

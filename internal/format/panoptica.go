package format

import (
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema/panoptica"
)

// findingNames has one of the names that only findings of Panoptica have: a finding has no required field, so any of them will do.
var findingNames = namesOf("alert_id|detection_type|attack_scenario|risk_category|risk_params|detection_timestamp")

func claimsPanoptica(in *Input) bool { return in.has(findingNames) }

// parsePanoptica reads a finding or attack path of the SIEM export.
func parsePanoptica(p *Parser, in *Input, rec *record.Record) error {
	if in.JSONErr != nil {
		return in.JSONErr
	}
	f := &p.finding
	if err := f.Check(in.Members, in.shape); err != nil {
		return err
	}
	var err error
	if rec.Disposition, err = dispositionOf(in.Members, f.Deciding); err != nil {
		return err
	}
	rec.EventType = f.EventType()
	rec.Severity = f.Severity()
	rec.AccountID = f.Text(in.Members, panoptica.AccountID)
	rec.TenantID = f.Text(in.Members, panoptica.TenantID)
	rec.Time = f.Time(panoptica.DetectionTimestamp)

	var extra []byte
	if !f.Has(panoptica.TenantID) && p.opts.TenantID != "" {
		rec.TenantID = p.opts.TenantID
		if strings.HasPrefix(rec.TenantID, "id") {
			extra = jsonscan.AppendQuoted([]byte(`"tenant_id":`), rec.TenantID)
		}
	}
	rec.Body = p.rewrite(in, f.Fixes, extra)
	rec.ID = f.Text(in.Members, panoptica.AlertID)
	if rec.ID == "" {
		rec.ID = contentID(rec.Body, panoptica.DetectionTimestamp.Name())
	}
	return nil
}

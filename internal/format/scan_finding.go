package format

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema/panoptica"
)

// A scan as a finding of the Panoptica SIEM schema (https://docs.panoptica.app/docs/siem-integration):
//
//	alert_id             Scan ID, so that a scan that comes again replaces itself
//	severity             by the verdict, see VerdictSeverities; absent when the verdict has none
//	detection_type       security_finding
//	attack_scenario      "Malicious email", "Clean file", "Email with verdict XYZ", "Scan without verdict"
//	asset_id             whom or what the scan protects: To, Name or URL by the kind of scan, or else Sample
//	account_id           organization_id, where the schema takes it (1 to 50 characters)
//	tenant_id            the configured tenant
//	labels               "Perception Point", Event, Verdict, Action, and "ambiguous" and "truncated" where they hold
//	description          one sentence with sender, recipient, subject, verdict, action and the vendor's messages
//	detection_timestamp  datetime
//	scan                 the whole scan as it would go on without scans_as_findings
//
// What the schema has and a scan does not know is absent: provider, resource_type, risk_category, resolved. The scan
// stands under a name of its own, since its members could else break the schema.

// scanMember is the finding's member that holds the scan.
const scanMember = "scan"

// isScanFinding recognises a finding that was made of a scan, so that it stays one when it is parsed again.
func isScanFinding(in *Input) bool {
	scan := in.Get(scanMember)
	return scan != nil && scan.Kind == jsonscan.Object && in.Get(panoptica.AlertID.Name()) != nil && in.Get(panoptica.DetectionType.Name()) != nil
}

// scanKind names an event type of scans in a finding's texts.
func scanKind(eventType string) (noun, sentence string) {
	switch eventType {
	case record.EmailScan:
		return "email", "an email"
	case record.FileScan:
		return "file", "a file"
	case record.URLScan:
		return "URL", "a URL"
	}
	return "scan", "something"
}

// scanToFinding replaces rec, a scan, by the finding made of it. It leaves p.in with the finding's members.
func (p *Parser) scanToFinding(rec *record.Record) error {
	var room [64]jsonscan.Member
	members, _, err := jsonscan.Members(room[:0], rec.Body)
	if err != nil {
		return err
	}
	get := func(key string) string { return text(find(members, key)) }
	isTrue := func(key string) bool {
		m := find(members, key)
		return m != nil && m.Value == "true"
	}
	noun, sentence := scanKind(rec.EventType)
	verdict, action, sample := get(perceptionpoint.KeyVerdict), get(perceptionpoint.KeyAction), get(perceptionpoint.KeySample)

	b := append(p.buf[:0], '{')
	add := func(field panoptica.Field, value string) {
		if value == "" {
			return
		}
		b = appendName(b, field.Name())
		b = jsonscan.AppendQuoted(b, value)
	}
	b = appendName(b, panoptica.Labels.Name())
	b = append(b, '[')
	for i, label := range [...]string{"Perception Point", get(perceptionpoint.KeyEvent), verdict, action, when(isTrue("ambiguous"), "ambiguous"), when(isTrue("truncated"), "truncated")} {
		if label == "" {
			continue
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonscan.AppendQuoted(b, label)
	}
	b = append(b, ']')
	add(panoptica.AlertID, rec.ID)
	var asset string
	switch rec.EventType {
	case record.EmailScan:
		asset = get(perceptionpoint.KeyTo)
	case record.FileScan:
		asset = get(perceptionpoint.KeyName)
	case record.URLScan:
		asset = get(perceptionpoint.KeyURL)
	}
	add(panoptica.AssetID, first(asset, sample))
	add(panoptica.Severity, rec.Severity.String())
	if strings.HasPrefix(p.opts.TenantID, "id") {
		add(panoptica.TenantID, p.opts.TenantID)
	}
	if utf8.RuneCountInString(rec.AccountID) <= 50 {
		add(panoptica.AccountID, rec.AccountID)
	}
	add(panoptica.Description, describeScan(sentence, verdict, action, get))
	add(panoptica.DetectionType, record.SecurityFinding)
	add(panoptica.AttackScenario, scanScenario(noun, verdict))
	if t := rec.Time; !t.IsZero() {
		add(panoptica.DetectionTimestamp, t.UTC().Format(time.RFC3339Nano))
	}
	b = appendName(b, scanMember)
	b = append(b, rec.Body...)
	p.buf = append(b, '}')

	p.in.scan(string(p.buf))
	*rec = record.Record{Received: rec.Received, Format: rec.Format}
	return parsePanoptica(p, &p.in, rec)
}

// appendName appends a member's name and colon, and a comma before it unless it is the first.
func appendName(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(jsonscan.AppendQuoted(dst, name), ':')
}

func when(yes bool, s string) string {
	if yes {
		return s
	}
	return ""
}

func scanScenario(noun, verdict string) string {
	if row := verdictRow(verdict); row != nil {
		return row.Word + " " + noun
	}
	noun = strings.ToUpper(noun[:1]) + noun[1:]
	if verdict == "" || verdict == perceptionpoint.VerdictUnknown {
		return noun + " without verdict"
	}
	return noun + " with verdict " + verdict
}

func describeScan(sentence, verdict, action string, get func(string) string) string {
	var s strings.Builder
	s.WriteString("Perception Point scanned " + sentence)
	for _, part := range [...]struct{ before, key string }{
		{" from ", perceptionpoint.KeyFrom}, {" to ", perceptionpoint.KeyTo}, {", subject ", perceptionpoint.KeySubject}, {", name ", perceptionpoint.KeyName}, {", address ", perceptionpoint.KeyURL},
	} {
		if value := get(part.key); value != "" {
			s.WriteString(part.before + value)
		}
	}
	s.WriteString("; verdict " + first(verdict, perceptionpoint.VerdictUnknown))
	if action != "" {
		s.WriteString(", action " + action)
	}
	if messages := get(perceptionpoint.KeyVerdictMessages); messages != "" {
		s.WriteString(": " + messages)
	}
	return s.String()
}

package format

import (
	"strconv"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// GuardDuty findings: a line each where they are exported to a bucket, the detail of an event where they come through
// EventBridge. The API's own spelling, AccountId for accountId, is read too.
// https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-format.html

const guardDutyName = "aws.guardduty"

// Columns of AWS.GuardDuty.
const (
	guardDutySchemaVersion = iota
	guardDutyAccountID
	guardDutyRegion
	guardDutyPartition
	guardDutyID
	guardDutyARN
	guardDutyType
	guardDutyResource
	guardDutySeverity
	guardDutyCreatedAt
	guardDutyUpdatedAt
	guardDutyTitle
	guardDutyDescription
	guardDutyService
	numGuardDutyColumns
)

var guardDuty = newLogType("AWS.GuardDuty", []column{
	guardDutySchemaVersion: {name: "schemaVersion", kind: varchar, required: required},
	guardDutyAccountID:     {name: "accountId", kind: varchar, required: required, feed: feedAccount, account: 1},
	guardDutyRegion:        {name: "region", kind: varchar, required: required},
	guardDutyPartition:     {name: "partition", kind: varchar, required: required},
	guardDutyID:            {name: "id", kind: varchar, required: required},
	guardDutyARN:           {name: "arn", kind: varchar, required: required, feed: feedARN},
	guardDutyType:          {name: "type", kind: varchar, required: required},
	guardDutyResource:      {name: "resource", required: required, feed: feedExtract},
	guardDutySeverity:      {name: "severity", kind: float, required: required},
	guardDutyCreatedAt:     {name: "createdAt", kind: timestamp, required: required},
	guardDutyUpdatedAt:     {name: "updatedAt", kind: timestamp, required: required, time: 1},
	guardDutyTitle:         {name: "title", kind: varchar, required: required},
	guardDutyDescription:   {name: "description", kind: varchar, required: required},
	guardDutyService: {name: "service", kind: object, required: required, fields: []column{
		{name: "additionalInfo", feed: feedExtract},
		{name: "action", feed: feedExtract},
		{name: "serviceName", kind: varchar},
		{name: "detectorId", kind: varchar},
		{name: "resourceRole", kind: varchar},
		{name: "eventFirstSeen", kind: timestamp},
		{name: "eventLastSeen", kind: timestamp},
		{name: "archived", kind: boolean},
		{name: "count", kind: bigint},
	}},
})

// eventBridgeMember is where a finding keeps what came around it: the event's id, time and source.
const eventBridgeMember = "eventBridge"

// isGuardDutyEvent recognises an EventBridge event that holds a finding.
func isGuardDutyEvent(in *Input) bool {
	return in.has(eventBridgeNames) && in.Get("detail").Kind == jsonscan.Object &&
		text(in.Get("source")) == "aws.guardduty" && text(in.Get("detail-type")) == "GuardDuty Finding"
}

var guardDutyNames = namesOf("schemaVersion|SchemaVersion", "service|Service", "accountId|AccountId")

func claimsGuardDuty(in *Input) bool {
	return in.has(guardDutyNames) || isGuardDutyEvent(in)
}

func parseGuardDuty(p *Parser, in *Input, rec *record.Record) error {
	if isGuardDutyFinding(in) {
		return parsePanoptica(p, in, rec)
	}
	if isGuardDutyEvent(in) {
		in.unwrap()
	}
	if err := p.parseJSON(guardDuty, in, rec); err != nil {
		return err
	}
	severity := in.fold("severity")
	rec.Severity = severityOfGuardDuty(strings.Trim(severity.Value, `"`))
	if p.row.done {
		return nil // whoever made the row made the finding
	}
	return p.guardDutyFinding(rec)
}

// unwrap replaces an event by its detail, with the rest of the event as a member of it.
func (in *Input) unwrap() {
	detail := in.Get("detail").Value
	b := make([]byte, 0, len(in.Raw)+len(eventBridgeMember)+8)
	b = append(b, detail[:len(detail)-1]...)
	if strings.Trim(detail[1:len(detail)-1], blanks) != "" {
		b = append(b, ',')
	}
	b = append(b, `"`+eventBridgeMember+`":{`...)
	n := 0
	for i := range in.Members {
		m := &in.Members[i]
		if m.Name == "detail" {
			continue
		}
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), m.Name...), '"', ':')
		b = append(b, m.Value...)
	}
	context := in.Context
	in.scan(string(append(b, '}', '}')))
	in.Context = context
}

// fold is Get without regard to case; it never returns nil.
func (in *Input) fold(name string) *jsonscan.Member {
	if m := foldMember(in.Members, name); m != nil {
		return m
	}
	return &noMember
}

var noMember jsonscan.Member

func foldMember(members []jsonscan.Member, name string) *jsonscan.Member {
	for i := range members {
		if strings.EqualFold(members[i].Key(), name) && members[i].Kind != jsonscan.Null {
			return &members[i]
		}
	}
	return nil
}

// severityOfGuardDuty puts a severity into its band: low to 3.9, medium to 6.9, high to 8.9, critical above. Zero, which
// the vendor does not define, informs.
func severityOfGuardDuty(number string) record.Severity {
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || n < 0:
		return record.SeverityUnknown
	case n == 0:
		return record.SeverityInformation
	case n < 4:
		return record.SeverityLow
	case n < 7:
		return record.SeverityMedium
	case n < 9:
		return record.SeverityHigh
	}
	return record.SeverityCritical
}

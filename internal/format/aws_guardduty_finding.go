package format

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/schema/panoptica"
)

// A GuardDuty finding as a finding of the Panoptica SIEM schema (https://docs.panoptica.app/docs/siem-integration), made
// beside its row:
//
//	alert_id             id, the same for all updates of a finding
//	severity             by the band, see severityOfGuardDuty
//	provider             AWS
//	resource_type        by resource.resourceType, see guardDutyResources; absent for one that is new
//	asset_id             the resource: its ARN, or whatever else names it
//	account_id           accountId
//	related_resources    the ARNs in resource and service, in one list
//	attack_scenario      title
//	labels               "GuardDuty" and type
//	detection_timestamp  updatedAt
//	first_seen_timestamp service.eventFirstSeen, or else createdAt
//	dismissed            true when service.archived is
//	guardduty            type, arn, region, severity, count and the row's p_row_id

// guardDutyMember is the finding's member that holds what the schema has no place for.
const guardDutyMember = "guardduty"

// isGuardDutyFinding recognises a finding that was made here, so that it stays one when it is parsed again.
func isGuardDutyFinding(in *Input) bool {
	if !in.IsObject {
		return false
	}
	own := in.Get(guardDutyMember)
	return own != nil && own.Kind == jsonscan.Object && in.Get(panoptica.AlertID.Name()) != nil && in.Get(panoptica.DetectionType.Name()) != nil
}

// guardDutyResources say where each type of resource is described and how to name it. Paths go through the first element
// of an array. A path that ends with instanceId makes an ARN of its value.
// https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-summary.html
var guardDutyResources = []struct {
	resourceType string
	kind         string // resource_type of the schema
	paths        []string
}{
	{"Instance", "Compute", []string{"instanceDetails/instanceId"}},
	{"EC2NetworkInterface", "Network", []string{"ec2NetworkInterfaceDetails/networkInterfaceId"}},
	{"AccessKey", "Identity", []string{"accessKeyDetails/userName", "accessKeyDetails/principalId", "accessKeyDetails/accessKeyId"}},
	{"S3Bucket", "Storage", []string{"s3BucketDetails/arn", "s3BucketDetails/name"}},
	{"S3Object", "Storage", []string{"s3BucketDetails/s3ObjectDetails/objectArn", "s3BucketDetails/arn"}},
	{"EKSCluster", "Compute", []string{"eksClusterDetails/arn", "eksClusterDetails/name"}},
	{"KubernetesCluster", "Compute", []string{"eksClusterDetails/arn", "eksClusterDetails/name"}},
	{"ECSCluster", "Compute", []string{"ecsClusterDetails/arn", "ecsClusterDetails/name"}},
	{"Container", "Compute", []string{"containerDetails/id", "containerDetails/name", "ecsClusterDetails/arn"}},
	{"Lambda", "Compute", []string{"lambdaDetails/functionArn", "lambdaDetails/functionName"}},
	{"RDSDBInstance", "Data", []string{"rdsDbInstanceDetails/dbInstanceArn", "rdsDbInstanceDetails/dbInstanceIdentifier"}},
	{"RDSLimitlessDB", "Data", []string{"rdsLimitlessDbDetails/dbShardGroupArn", "rdsLimitlessDbDetails/dbShardGroupIdentifier"}},
	{"EBSVolume", "Storage", []string{"ebsVolumeDetails/scannedVolumeDetails/volumeArn"}},
	{"EBSSnapshot", "Storage", []string{"ebsSnapshotDetails/snapshotArn"}},
}

// guardDutyFinding adds the finding to p.findings. rec is the row, and p.in the text that it was made of.
func (p *Parser) guardDutyFinding(rec *record.Record) error {
	in := &p.in
	var columns [numGuardDutyColumns]*jsonscan.Member
	for i := range in.Members {
		m := &in.Members[i]
		if column, _ := p.row.column(guardDuty, i, m.Key()); column >= 0 && m.Kind != jsonscan.Null {
			columns[column] = m
		}
	}
	get := func(column int) string { return columns[column].Text() } // all are required
	resource := columns[guardDutyResource].Value
	resourceType := path(resource, "resourceType")
	service := serviceOf(columns[guardDutyService].Value)

	b := append(p.buf[:0], `{"labels":["GuardDuty",`...)
	b = append(jsonscan.AppendQuoted(b, get(guardDutyType)), ']')
	add := func(field panoptica.Field, value string) {
		if value != "" {
			b = jsonscan.AppendQuoted(appendName(b, field.Name()), value)
		}
	}
	add(panoptica.AlertID, get(guardDutyID))
	kind, asset := "", ""
	for i := range guardDutyResources {
		r := &guardDutyResources[i]
		if r.resourceType != resourceType {
			continue
		}
		kind = r.kind
		for _, where := range r.paths {
			if asset = path(resource, where); asset == "" {
				continue
			}
			if strings.HasSuffix(where, "/instanceId") {
				asset = "arn:" + get(guardDutyPartition) + ":ec2:" + get(guardDutyRegion) + ":" + rec.AccountID + ":instance/" + asset
			}
			break
		}
	}
	add(panoptica.AssetID, first(asset, resourceType))
	add(panoptica.Provider, "AWS")
	add(panoptica.Severity, rec.Severity.String())
	if utf8.RuneCountInString(rec.AccountID) <= 50 {
		add(panoptica.AccountID, rec.AccountID)
	}
	add(panoptica.Description, get(guardDutyDescription))
	add(panoptica.ResourceType, kind)
	add(panoptica.DetectionType, record.SecurityFinding)
	add(panoptica.AttackScenario, get(guardDutyTitle))
	own := get(guardDutyARN)
	if arns := p.row.found[anyARN]; len(arns) > 1 || len(arns) == 1 && arns[0] != own {
		b = append(appendName(b, panoptica.RelatedResources.Name()), '[', '[')
		n := 0
		for i, arn := range arns { // sorted by now
			if arn == own || i > 0 && arn == arns[i-1] {
				continue
			}
			if n++; n > 1 {
				b = append(b, ',')
			}
			b = jsonscan.AppendQuoted(b, arn)
		}
		b = append(b, ']', ']')
	}
	addTime := func(field panoptica.Field, t time.Time) {
		b = append(appendName(b, field.Name()), '"')
		b = append(t.AppendFormat(b, time.RFC3339Nano), '"')
	}
	addTime(panoptica.DetectionTimestamp, rec.Time)
	for _, seen := range [...]string{service.firstSeen, get(guardDutyCreatedAt)} {
		if t, ok := parseInstant(seen); ok {
			addTime(panoptica.FirstSeenTimestamp, t.time())
			break
		}
	}
	if strings.EqualFold(service.archived, "true") {
		b = append(appendName(b, "dismissed"), "true"...)
	}
	b = append(appendName(b, guardDutyMember), `{"type":`...)
	b = jsonscan.AppendQuoted(b, get(guardDutyType))
	b = jsonscan.AppendQuoted(append(b, `,"arn":`...), own)
	b = jsonscan.AppendQuoted(append(b, `,"region":`...), get(guardDutyRegion))
	b = append(append(b, `,"severity":`...), strings.Trim(columns[guardDutySeverity].Value, `"`)...)
	if n, ok := parseInteger(service.count); ok && n >= 0 {
		b = append(append(b, `,"count":`...), service.count...)
	}
	b = jsonscan.AppendQuoted(append(b, `,"`+fieldRowID+`":`...), rec.ID)
	b = append(b, '}', '}')
	p.buf = b

	p.made.scan(string(b))
	f := record.Record{Received: rec.Received, Format: rec.Format}
	if err := parsePanoptica(p, &p.made, &f); err != nil {
		return err
	}
	p.findings = append(p.findings, f)
	return nil
}

// serviceFields are what the finding takes of the service.
type serviceFields struct{ firstSeen, archived, count string }

// serviceOf reads the fields of a service, an object, in one go.
func serviceOf(s string) (fields serviceFields) {
	members := scanMembers(s, 0)
	for {
		name, start, end, ok := members.next(true)
		if !ok {
			return fields
		}
		var field *string
		switch {
		case isNamed(name, "eventFirstSeen"):
			field = &fields.firstSeen
		case isNamed(name, "archived"):
			field = &fields.archived
		case isNamed(name, "count"):
			field = &fields.count
		default:
			continue
		}
		if *field == "" {
			*field = scalarText(s[start:end])
		}
	}
}

package source

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/finding"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
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
	return own != nil && own.Kind == jsonscan.Object && in.Get(finding.AlertID.Name()) != nil && in.Get(finding.DetectionType.Name()) != nil
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
	get := func(name string) string { return in.fold(name).Text() }
	resource, service := in.fold("resource").Value, in.fold("service").Value
	resourceType := path(resource, "resourceType")

	b := append(make([]byte, 0, 1024), `{"labels":["GuardDuty",`...)
	b = append(jsonscan.AppendQuoted(b, get("type")), ']')
	add := func(field finding.Field, value string) {
		if value != "" {
			b = jsonscan.AppendQuoted(appendName(b, field.Name()), value)
		}
	}
	add(finding.AlertID, get("id"))
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
				asset = "arn:" + get("partition") + ":ec2:" + get("region") + ":" + rec.AccountID + ":instance/" + asset
			}
			break
		}
	}
	add(finding.AssetID, first(asset, resourceType))
	add(finding.Provider, "AWS")
	add(finding.Severity, rec.Severity.String())
	if utf8.RuneCountInString(rec.AccountID) <= 50 {
		add(finding.AccountID, rec.AccountID)
	}
	add(finding.Description, get("description"))
	add(finding.ResourceType, kind)
	add(finding.DetectionType, record.SecurityFinding)
	add(finding.AttackScenario, get("title"))
	if arns := p.row.found[anyARN]; len(arns) > 1 || len(arns) == 1 && arns[0] != get("arn") {
		b = append(appendName(b, finding.RelatedResources.Name()), '[', '[')
		n, own := 0, get("arn")
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
	add(finding.DetectionTimestamp, rec.Time.Format(time.RFC3339Nano))
	for _, seen := range [...]string{path(service, "eventFirstSeen"), get("createdAt")} {
		if t, ok := parseInstant(seen); ok {
			add(finding.FirstSeenTimestamp, t.time().Format(time.RFC3339Nano))
			break
		}
	}
	if strings.EqualFold(path(service, "archived"), "true") {
		b = append(appendName(b, "dismissed"), "true"...)
	}
	b = append(appendName(b, guardDutyMember), `{"type":`...)
	b = jsonscan.AppendQuoted(b, get("type"))
	for _, name := range [...]string{"arn", "region"} {
		b = jsonscan.AppendQuoted(appendName(b, name), get(name))
	}
	b = append(appendName(b, "severity"), strings.Trim(in.fold("severity").Value, `"`)...)
	if n, ok := parseInteger(path(service, "count")); ok && n >= 0 {
		b = append(appendName(b, "count"), path(service, "count")...)
	}
	b = jsonscan.AppendQuoted(appendName(b, fieldRowID), rec.ID)
	b = append(b, '}', '}')

	var made Input
	made.scan(string(b))
	f := record.Record{Received: rec.Received, Format: rec.Format}
	if err := parsePanoptica(p, &made, &f); err != nil {
		return err
	}
	p.findings = append(p.findings, f)
	return nil
}

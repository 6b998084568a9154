// Package format reads raw records of every source format into records: it finds out which format a text is in, checks
// it, sets right what has one right answer and turns everything else into an invalid record that keeps the input whole.
//
// Adding a format is one file here, one folder in testdata and one row in Formats.
package format

import "github.com/siempipe/siempipe/internal/record"

// Format is a source format. Formats are immutable.
type Format struct {
	// Name is what users write as format and what stands in siem.format.
	Name string
	// Doc is the address of the vendor's description.
	Doc string
	// EventTypes are those that its records can have, beside invalid and, for scans, the findings made of them.
	EventTypes []string

	// scans says that its records are scans, which Options.ScansAsFindings turns into findings.
	scans bool
	// log is the table of a format of log records; nil for findings and scans.
	log *logType
	// claims reports whether the input is in this format, by marks that no other format has.
	claims func(*Input) bool
	// parse fills rec from the input. Its error makes the record invalid; rec may then be half filled.
	parse func(*Parser, *Input, *record.Record) error
}

// IsLog reports whether records of the format are rows with columns and standard fields, unlike findings and scans.
func (f *Format) IsLog() bool { return f.log != nil }

// MakesFindings reports whether a format's records are findings beside what else they are; see Parser.Findings.
func MakesFindings(name string) bool { return name == guardDutyName }

// Auto is the name that stands for finding out the format of each record.
const Auto = "auto"

// Formats are all source formats. testdata has a folder for each.
var Formats = []Format{
	{
		Name:       "panoptica",
		Doc:        "https://docs.panoptica.app/docs/siem-integration",
		EventTypes: []string{record.SecurityFinding, record.AttackPath, record.Other},
		claims:     claimsPanoptica, parse: parsePanoptica,
	},
	{
		Name:       "perception_point",
		Doc:        "https://docs.perception-point.io/WP/Content/PP/API-Scan-search.htm",
		EventTypes: []string{record.EmailScan, record.FileScan, record.URLScan, record.Other},
		claims:     claimsPerceptionPoint, scans: true, parse: parsePerceptionPoint,
	},
	{
		Name:       "perception_point_audit",
		Doc:        "https://docs.perception-point.io/WP/Content/PP/API-Audit.htm",
		EventTypes: []string{perceptionPointAudit},
		claims:     claimsPerceptionPointAudit, parse: parsePerceptionPointAudit,
	},
	{
		Name:       "perception_point_syslog",
		Doc:        "https://docs.perception-point.io/WP/Content/PP/SIEM.htm",
		EventTypes: []string{record.EmailScan, record.FileScan, record.URLScan, record.Other},
		claims:     claimsPerceptionPointSyslog, scans: true, parse: parsePerceptionPointSyslog,
	},
	{
		Name:       "aws.alb",
		Doc:        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html",
		EventTypes: []string{alb.name}, log: alb,
		claims: claimsALB, parse: parseALB,
	},
	{
		Name:       "aws.aurora_mysql_audit",
		Doc:        "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Auditing.html",
		EventTypes: []string{auroraMySQLAudit.name}, log: auroraMySQLAudit,
		claims: claimsAuroraMySQLAudit, parse: parseAuroraMySQLAudit,
	},
	{
		Name:       cloudTrailName,
		Doc:        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html",
		EventTypes: []string{cloudTrail.name}, log: cloudTrail,
		claims: claimsCloudTrail, parse: parseCloudTrail,
	},
	{
		Name:       "aws.cloudtrail_digest",
		Doc:        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html",
		EventTypes: []string{cloudTrailDigest.name}, log: cloudTrailDigest,
		claims: claimsCloudTrailDigest, parse: parseCloudTrailDigest,
	},
	{
		Name:       "aws.cloudtrail_insight",
		Doc:        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-insights-fields-insight-details.html",
		EventTypes: []string{cloudTrailInsight.name}, log: cloudTrailInsight,
		claims: claimsCloudTrailInsight, parse: parseCloudTrailInsight,
	},
	{
		Name:       "aws.cloudwatch_events",
		Doc:        "https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html",
		EventTypes: []string{cloudWatchEvents.name}, log: cloudWatchEvents,
		claims: claimsCloudWatchEvents, parse: parseCloudWatchEvents,
	},
	{
		Name:       guardDutyName,
		Doc:        "https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-format.html",
		EventTypes: []string{guardDuty.name, record.SecurityFinding}, log: guardDuty,
		claims: claimsGuardDuty, parse: parseGuardDuty,
	},
	{
		Name:       "aws.s3_server_access",
		Doc:        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html",
		EventTypes: []string{s3ServerAccess.name}, log: s3ServerAccess,
		claims: claimsS3ServerAccess, parse: parseS3ServerAccess,
	},
	{
		Name:       "aws.vpc_dns",
		Doc:        "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs-format.html",
		EventTypes: []string{vpcDNS.name}, log: vpcDNS,
		claims: claimsVPCDNS, parse: parseVPCDNS,
	},
	{
		Name:       vpcFlowName,
		Doc:        "https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html",
		EventTypes: []string{vpcFlow.name}, log: vpcFlow,
		claims: claimsVPCFlow, parse: parseVPCFlow,
	},
	{
		Name:       "aws.waf_web_acl",
		Doc:        "https://docs.aws.amazon.com/waf/latest/developerguide/logging-fields.html",
		EventTypes: []string{wafWebACL.name}, log: wafWebACL,
		claims: claimsWAFWebACL, parse: parseWAFWebACL,
	},
	{
		Name:       azureSignInName,
		Doc:        "https://learn.microsoft.com/en-us/entra/identity/monitoring-health/concept-sign-in-log-activity-details",
		EventTypes: []string{azureSignIn.name}, log: azureSignIn,
		claims: claimsAzureSignIn, parse: parseAzureSignIn,
	},
	{
		Name:       gcpAuditName,
		Doc:        "https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog",
		EventTypes: []string{gcpAudit.name}, log: gcpAudit,
		claims: claimsGCPAudit, parse: parseGCPAudit,
	},
}

// Names lists the names of all formats, without Auto.
func Names() []string {
	names := make([]string, len(Formats))
	for i := range Formats {
		names[i] = Formats[i].Name
	}
	return names
}

// Lookup finds a format by its name.
func Lookup(name string) (*Format, bool) {
	for i := range Formats {
		if Formats[i].Name == name {
			return &Formats[i], true
		}
	}
	return nil, false
}

var logTypeName = namesOf(fieldLogType)

// rowFormat is the format of a row that siempipe made, which says so itself; nil for everything else.
func rowFormat(in *Input) *Format {
	if !in.has(logTypeName) {
		return nil
	}
	m := in.Get(fieldLogType)
	if m == nil || in.Get(fieldRowID) == nil {
		return nil
	}
	name := m.Text()
	for i := range Formats {
		if f := &Formats[i]; f.log != nil && f.log.name == name {
			return f
		}
	}
	return nil
}

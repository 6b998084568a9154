package source

import (
	"strings"

	"github.com/siempipe/siempipe/internal/record"
)

// Audit logs of Google Cloud: a LogEntry whose protoPayload is an AuditLog.
// https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
// https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog

const gcpAuditName = "gcp.audit"

var gcpAudit = newLogType("GCP.AuditLog", []column{
	{name: "logName", kind: text_, required: required},
	{name: "severity", kind: text_},
	{name: "insertId", kind: text_},
	{name: "resource", kind: object, fields: []column{
		{name: "type", kind: text_},
		{name: "labels", kind: object, fields: []column{{name: "project_id", kind: text_, account: 1}}},
	}},
	{name: "timestamp", kind: timestamp, time: 1},
	{name: "receiveTimestamp", kind: timestamp, required: required, time: 2},
	{name: "labels"},
	{name: "operation"},
	{name: "trace", kind: text_, feed: feedTrace},
	{name: "spanId", kind: text_},
	{name: "traceSampled", kind: boolean},
	{name: "httpRequest"},
	{name: "sourceLocation"},
	{name: "protoPayload", kind: object, required: required, fields: []column{
		{name: "@type", kind: text_},
		{name: "serviceName", kind: text_},
		{name: "methodName", kind: text_},
		{name: "resourceName", kind: text_},
		{name: "numResponseItems", kind: bigint}, // a protobuf int64, which JSON has as a string
		{name: "authenticationInfo", kind: object, fields: []column{{name: "principalEmail", kind: text_, feed: feedUser}}},
		{name: "requestMetadata", kind: object, fields: []column{
			{name: "callerIp", kind: text_, feed: feedIP}, // or "private", "gce-internal-ip"
			{name: "callerSuppliedUserAgent", kind: text_},
		}},
	}},
})

func claimsGCPAudit(in *Input) bool { return in.has(markProtoPayload) && in.has(markLogName) }

func parseGCPAudit(p *Parser, in *Input, rec *record.Record) error {
	if err := p.parseJSON(gcpAudit, in, rec); err != nil {
		return err
	}
	if rec.AccountID == "" {
		rec.AccountID = resourceContainer(text(in.Get("logName")))
	}
	return nil
}

// resourceContainer is the project, folder, organization or billing account of a log's name:
// projects/my-project/logs/cloudaudit.googleapis.com%2Factivity.
func resourceContainer(logName string) string {
	_, rest, _ := strings.Cut(logName, "/")
	id, _, ok := strings.Cut(rest, "/logs/")
	if !ok {
		return ""
	}
	return id
}

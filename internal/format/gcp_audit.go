package format

import (
	"encoding/base64"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Audit logs of Google Cloud: a LogEntry whose protoPayload is an AuditLog.
// https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
// https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog

const gcpAuditName = "gcp.audit"

var gcpAudit = newLogType("GCP.AuditLog", []column{
	{name: "logName", kind: varchar, required: required},
	{name: "severity", kind: varchar},
	{name: "insertId", kind: varchar},
	{name: "resource", kind: object, fields: []column{
		{name: "type", kind: varchar},
		{name: "labels", kind: object, fields: []column{{name: "project_id", kind: varchar, account: 1}}},
	}},
	{name: "timestamp", kind: timestamp, time: 1},
	{name: "receiveTimestamp", kind: timestamp, required: required, time: 2},
	{name: "labels"},
	{name: "operation"},
	{name: "trace", kind: varchar, feed: feedTrace},
	{name: "spanId", kind: varchar},
	{name: "traceSampled", kind: boolean},
	{name: "httpRequest"},
	{name: "sourceLocation"},
	{name: "protoPayload", kind: object, required: required, fields: []column{
		{name: "@type", kind: varchar},
		{name: "serviceName", kind: varchar},
		{name: "methodName", kind: varchar},
		{name: "resourceName", kind: varchar},
		{name: "numResponseItems", kind: bigint}, // a protobuf int64, which JSON has as a string
		{name: "authenticationInfo", kind: object, fields: []column{{name: "principalEmail", kind: varchar, feed: feedUser}}},
		{name: "requestMetadata", kind: object, fields: []column{
			{name: "callerIp", kind: varchar, feed: feedIP}, // or "private", "gce-internal-ip"
			{name: "callerSuppliedUserAgent", kind: varchar},
		}},
	}},
})

var (
	auditEntryNames = namesOf("protoPayload", "logName")
	pubSubPushNames = namesOf("subscription", "message")
)

func claimsGCPAudit(in *Input) bool {
	return in.has(auditEntryNames) || in.has(pubSubPushNames) && pushed(in) != ""
}

// pushed is the entry in a message that Pub/Sub pushes, {"message":{"data":…},"subscription":…}: its data in base64. ""
// where the input is no such message.
// https://cloud.google.com/pubsub/docs/push#receive_push
func pushed(in *Input) string {
	message := in.fold("message")
	if message.Kind != jsonscan.Object || in.fold("subscription").Kind != jsonscan.String {
		return ""
	}
	var room [8]jsonscan.Member
	data, err := base64.StdEncoding.DecodeString(text(find(objectOf(room[:0], message), "data")))
	if err != nil || len(data) == 0 || data[0] != '{' {
		return ""
	}
	return string(data)
}

func parseGCPAudit(p *Parser, in *Input, rec *record.Record) error {
	if in.IsObject && in.Get("subscription") != nil {
		if entry := pushed(in); entry != "" {
			in.scan(entry)
		}
	}
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

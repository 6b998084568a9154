package format

import "github.com/siempipe/siempipe/internal/perceptionpoint"

// mark is a set of names that an object has at its top; by them the formats tell their records from others'.
type mark uint32

// Marks, one for each name that some format goes by.
const (
	markEventVersion mark = 1 << iota
	markEventSource
	markInsightDetails
	markDigestS3Object
	markDetailType
	markDetail
	markSchemaVersion
	markService
	markAccountID
	markQueryName
	markQueryTimestamp
	markWebACLID
	markHTTPRequest
	markOperationName
	markProtoPayload
	markLogName
	markSubscription
	markMessage
	markLogType
	markFinding // one of the names that only findings of Panoptica have
	markFullScanID
	markScanVerdict // of an API scan
	markScanDetail  // one of those that an API scan with a verdict has
	markLineKey     // Scan ID or Event of a pipe line
)

// markOf finds the mark of a name, whose case counts but for those of a format that is written in two cases.
func markOf(name string) mark {
	switch name {
	case "eventVersion":
		return markEventVersion
	case "eventSource":
		return markEventSource
	case "insightDetails":
		return markInsightDetails
	case "digestS3Object":
		return markDigestS3Object
	case "detail-type":
		return markDetailType
	case "detail":
		return markDetail
	case "schemaVersion", "SchemaVersion":
		return markSchemaVersion
	case "service", "Service":
		return markService
	case "accountId", "AccountId":
		return markAccountID
	case "query_name":
		return markQueryName
	case "query_timestamp":
		return markQueryTimestamp
	case "webaclId":
		return markWebACLID
	case "httpRequest":
		return markHTTPRequest
	case "operationName", "OperationName":
		return markOperationName
	case "protoPayload":
		return markProtoPayload
	case "logName":
		return markLogName
	case "subscription":
		return markSubscription
	case "message":
		return markMessage
	case fieldLogType:
		return markLogType
	case "alert_id", "detection_type", "attack_scenario", "risk_category", "risk_params", "detection_timestamp":
		return markFinding // a finding has no required field, so any of them will do
	case "full_scan_id":
		return markFullScanID
	case "verbose_verdict", "root_scan_summary":
		return markScanVerdict
	case "root_scan_id", "scan_engines", "scan_layers", "verbose_action", "payload_type", "organization_id":
		return markScanDetail
	case perceptionpoint.KeyScanID, perceptionpoint.KeyEvent:
		return markLineKey
	}
	return 0
}

// has reports whether the input is an object with all of the marks.
func (in *Input) has(m mark) bool {
	if !in.marked {
		in.marked = true
		if in.shape == 0 || in.shape != in.markedShape { // else they are those of the object before
			in.marks = 0
			for i := range in.Members {
				in.marks |= markOf(in.Members[i].Key())
			}
			in.markedShape = in.shape
		}
	}
	return in.marks&m == m
}

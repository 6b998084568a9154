package source

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
	case "operationName":
		return markOperationName
	case "protoPayload":
		return markProtoPayload
	case "logName":
		return markLogName
	case "subscription":
		return markSubscription
	case "message":
		return markMessage
	}
	return 0
}

// has reports whether the input is an object with all of the marks.
func (in *Input) has(m mark) bool {
	if !in.marked {
		in.marked = true
		for i := range in.Members {
			in.marks |= markOf(in.Members[i].Name)
		}
	}
	return in.marks&m == m
}

package source

import "github.com/siempipe/siempipe/internal/record"

// CloudTrail events, the elements of "Records" in its files.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html

const cloudTrailName = "aws.cloudtrail"

var cloudTrail = newLogType("AWS.CloudTrail", []column{
	{name: "additionalEventData", feed: feedExtract},
	{name: "apiVersion", kind: text_},
	{name: "awsRegion", kind: text_, required: required},
	{name: "errorCode", kind: text_},
	{name: "errorMessage", kind: text_},
	{name: "eventID", kind: text_, required: required},
	{name: "eventName", kind: text_, required: required},
	{name: "eventSource", kind: text_, required: required},
	{name: "eventTime", kind: timestamp, required: required, time: 1},
	{name: "eventType", kind: text_, required: required},
	{name: "eventVersion", kind: text_, required: required},
	{name: "managementEvent", kind: boolean},
	{name: "readOnly", kind: boolean},
	{name: "recipientAccountId", kind: text_, feed: feedAccount, account: 1},
	{name: "requestID", kind: text_},
	{name: "requestParameters", feed: feedExtract},
	{name: "resources", kind: objectList, fields: []column{
		{name: "arn", kind: text_, feed: feedARN}, // AWS writes ARN
		{name: "accountId", kind: text_, feed: feedAccount},
		{name: "type", kind: text_},
	}},
	{name: "responseElements", feed: feedExtract},
	{name: "serviceEventDetails", feed: feedExtract},
	{name: "sharedEventID", kind: text_},
	{name: "sourceIPAddress", kind: text_, required: required, feed: feedHost}, // a service's calls have its name here
	{name: "userAgent", kind: text_},
	{name: "userIdentity", kind: object, required: required, fields: []column{
		{name: "type", kind: text_},
		{name: "principalId", kind: text_},
		{name: "arn", kind: text_, feed: feedARN},
		{name: "accountId", kind: text_, feed: feedAccount, account: 2},
		{name: "accessKeyId", kind: text_},
		{name: "userName", kind: text_},
		{name: "sessionContext", kind: object, fields: []column{
			{name: "attributes", kind: object, fields: []column{
				{name: "mfaAuthenticated", kind: text_},
				{name: "creationDate", kind: text_},
			}},
			{name: "sessionIssuer", kind: object, fields: []column{
				{name: "type", kind: text_},
				{name: "principalId", kind: text_},
				{name: "arn", kind: text_, feed: feedARN},
				{name: "accountId", kind: text_, feed: feedAccount},
				{name: "userName", kind: text_},
			}},
			{name: "webIdFederationData", kind: object, fields: []column{
				{name: "federatedProvider", kind: text_},
				{name: "attributes", feed: feedExtract},
			}},
		}},
		{name: "invokedBy", kind: text_},
		{name: "identityProvider", kind: text_},
	}},
	{name: "vpcEndpointId", kind: text_},
})

// claimsCloudTrail takes events that are no Insights.
func claimsCloudTrail(in *Input) bool {
	return in.has(markEventVersion) && in.has(markEventSource) && !in.has(markInsightDetails)
}

func parseCloudTrail(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(cloudTrail, in, rec)
}

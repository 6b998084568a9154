package format

import "github.com/siempipe/siempipe/internal/record"

// CloudTrail events, the elements of "Records" in its files.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html

const cloudTrailName = "aws.cloudtrail"

var cloudTrail = newLogType("AWS.CloudTrail", []column{
	{name: "additionalEventData", feed: feedExtract},
	{name: "apiVersion", kind: varchar},
	{name: "awsRegion", kind: varchar, required: required},
	{name: "errorCode", kind: varchar},
	{name: "errorMessage", kind: varchar},
	{name: "eventID", kind: varchar, required: required},
	{name: "eventName", kind: varchar, required: required},
	{name: "eventSource", kind: varchar, required: required},
	{name: "eventTime", kind: timestamp, required: required, time: 1},
	{name: "eventType", kind: varchar, required: required},
	{name: "eventVersion", kind: varchar, required: required},
	{name: "managementEvent", kind: boolean},
	{name: "readOnly", kind: boolean},
	{name: "recipientAccountId", kind: varchar, feed: feedAccount, account: 1},
	{name: "requestID", kind: varchar},
	{name: "requestParameters", feed: feedExtract},
	{name: "resources", kind: objectList, fields: []column{
		{name: "arn", kind: varchar, feed: feedARN}, // AWS writes ARN
		{name: "accountId", kind: varchar, feed: feedAccount},
		{name: "type", kind: varchar},
	}},
	{name: "responseElements", feed: feedExtract},
	{name: "serviceEventDetails", feed: feedExtract},
	{name: "sharedEventID", kind: varchar},
	{name: "sourceIPAddress", kind: varchar, required: required, feed: feedHost}, // a service's calls have its name here
	{name: "userAgent", kind: varchar},
	{name: "userIdentity", kind: object, required: required, fields: []column{
		{name: "type", kind: varchar},
		{name: "principalId", kind: varchar},
		{name: "arn", kind: varchar, feed: feedARN},
		{name: "accountId", kind: varchar, feed: feedAccount, account: 2},
		{name: "accessKeyId", kind: varchar},
		{name: "userName", kind: varchar},
		{name: "sessionContext", kind: object, fields: []column{
			{name: "attributes", kind: object, fields: []column{
				{name: "mfaAuthenticated", kind: varchar},
				{name: "creationDate", kind: varchar},
			}},
			{name: "sessionIssuer", kind: object, fields: []column{
				{name: "type", kind: varchar},
				{name: "principalId", kind: varchar},
				{name: "arn", kind: varchar, feed: feedARN},
				{name: "accountId", kind: varchar, feed: feedAccount},
				{name: "userName", kind: varchar},
			}},
			{name: "webIdFederationData", kind: object, fields: []column{
				{name: "federatedProvider", kind: varchar},
				{name: "attributes", feed: feedExtract},
			}},
		}},
		{name: "invokedBy", kind: varchar},
		{name: "identityProvider", kind: varchar},
	}},
	{name: "vpcEndpointId", kind: varchar},
})

// claimsCloudTrail takes events that are no Insights.
var (
	cloudTrailNames = namesOf("eventVersion", "eventSource")
	insightName     = namesOf("insightDetails")
)

func claimsCloudTrail(in *Input) bool {
	return in.has(cloudTrailNames) && !in.has(insightName)
}

func parseCloudTrail(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(cloudTrail, in, rec)
}

package format

import "github.com/siempipe/siempipe/internal/record"

// CloudTrail Insights: unusual rates of calls or errors. AWS spells eventID and sharedEventID, Panther's columns do not.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-insights-fields-insight-details.html

var cloudTrailInsight = newLogType("AWS.CloudTrailInsight", []column{
	{name: "eventVersion", kind: varchar, required: required},
	{name: "eventTime", kind: timestamp, required: required, time: 1},
	{name: "awsRegion", kind: varchar, required: required},
	{name: "eventId", kind: varchar, required: required},
	{name: "eventType", kind: varchar, required: required},
	{name: "recipientAccountId", kind: varchar, feed: feedAccount, account: 1},
	{name: "sharedEventId", kind: varchar, required: required, feed: feedTrace},
	{name: "insightDetails", kind: object, required: required, fields: []column{
		{name: "state", kind: varchar},
		{name: "eventSource", kind: varchar},
		{name: "eventName", kind: varchar},
		{name: "insightType", kind: varchar},
		{name: "insightContext", kind: object, fields: []column{
			{name: "statistics", kind: object, fields: []column{
				{name: "baseline", kind: object, fields: []column{{name: "average", kind: double}}},
				{name: "insight", kind: object, fields: []column{{name: "average", kind: double}}},
				{name: "insightDuration", kind: float},
			}},
		}},
	}},
	{name: "eventCategory", kind: varchar, required: required},
})

var insightNames = namesOf("insightDetails", "eventVersion")

func claimsCloudTrailInsight(in *Input) bool {
	return in.has(insightNames)
}

func parseCloudTrailInsight(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(cloudTrailInsight, in, rec)
}

package source

import "github.com/siempipe/siempipe/internal/record"

// CloudTrail Insights: unusual rates of calls or errors. AWS spells eventID and sharedEventID, Panther's columns do not.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-insights-fields-insight-details.html

var cloudTrailInsight = newLogType("AWS.CloudTrailInsight", []column{
	{name: "eventVersion", kind: text_, required: required},
	{name: "eventTime", kind: timestamp, required: required, time: 1},
	{name: "awsRegion", kind: text_, required: required},
	{name: "eventId", kind: text_, required: required},
	{name: "eventType", kind: text_, required: required},
	{name: "recipientAccountId", kind: text_, feed: feedAccount, account: 1},
	{name: "sharedEventId", kind: text_, required: required, feed: feedTrace},
	{name: "insightDetails", kind: object, required: required, fields: []column{
		{name: "state", kind: text_},
		{name: "eventSource", kind: text_},
		{name: "eventName", kind: text_},
		{name: "insightType", kind: text_},
		{name: "insightContext", kind: object, fields: []column{
			{name: "statistics", kind: object, fields: []column{
				{name: "baseline", kind: object, fields: []column{{name: "average", kind: double}}},
				{name: "insight", kind: object, fields: []column{{name: "average", kind: double}}},
				{name: "insightDuration", kind: float},
			}},
		}},
	}},
	{name: "eventCategory", kind: text_, required: required},
})

func claimsCloudTrailInsight(in *Input) bool {
	return in.has(markInsightDetails) && in.has(markEventVersion)
}

func parseCloudTrailInsight(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(cloudTrailInsight, in, rec)
}

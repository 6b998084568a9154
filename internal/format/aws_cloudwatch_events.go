package format

import "github.com/siempipe/siempipe/internal/record"

// Events of EventBridge, CloudWatch Events of old.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html

var cloudWatchEvents = newLogType("AWS.CloudWatchEvents", []column{
	{name: "id", kind: varchar, required: required},
	{name: "account", kind: varchar, required: required, feed: feedAccount, account: 1},
	{name: "source", kind: varchar, required: required},
	{name: "resources", kind: textList, required: required, feed: feedARN},
	{name: "region", kind: varchar, required: required},
	{name: "detail-type", kind: varchar, required: required},
	{name: "version", kind: varchar, required: required},
	{name: "time", kind: timestamp, required: required, time: 1},
	{name: "detail", required: required, feed: feedExtract},
})

// claimsCloudWatchEvents takes all events but those that hold a GuardDuty finding: those are findings.
var eventBridgeNames = namesOf("detail-type", "detail")

func claimsCloudWatchEvents(in *Input) bool {
	return in.has(eventBridgeNames) && !isGuardDutyEvent(in)
}

func parseCloudWatchEvents(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(cloudWatchEvents, in, rec)
}

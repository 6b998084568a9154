package format

import "github.com/siempipe/siempipe/internal/record"

// Web ACL traffic, one object for each request.
// https://docs.aws.amazon.com/waf/latest/developerguide/logging-fields.html

var (
	wafMatchDetails = column{fields: []column{
		{name: "conditionType", kind: varchar}, {name: "location", kind: varchar}, {name: "matchedData", kind: textList},
	}}
	wafRule = []column{{name: "ruleId", kind: varchar}, {name: "action", kind: varchar}, wafMatchDetails.list("ruleMatchDetails")}
)

// list is a column of such objects.
func (c column) list(name string) column {
	return column{name: name, kind: objectList, fields: append([]column(nil), c.fields...)}
}

var wafWebACL = newLogType("AWS.WAFWebACL", []column{
	{name: "action", kind: varchar, required: required},
	{name: "formatVersion", kind: smallint},
	{name: "httpRequest", kind: object, required: required, fields: []column{
		{name: "args", kind: varchar},
		{name: "clientIp", kind: varchar, feed: feedIP},
		{name: "country", kind: varchar},
		{name: "headers", kind: objectList, fields: []column{{name: "name", kind: varchar}, {name: "value", kind: varchar}}},
		{name: "httpMethod", kind: varchar},
		{name: "httpVersion", kind: varchar},
		{name: "requestId", kind: varchar, feed: feedTrace},
		{name: "uri", kind: varchar},
	}},
	{name: "httpSourceId", kind: varchar, required: required},
	{name: "httpSourceName", kind: varchar},
	column{fields: wafRule}.list("nonTerminatingMatchingRules"),
	{name: "rateBasedRuleList", kind: objectList, fields: []column{
		{name: "limitKey", kind: varchar},
		{name: "limitValue", kind: varchar},
		{name: "maxRateAllowed", kind: bigint},
		{name: "rateBasedRuleId", kind: varchar},
		{name: "rateBasedRuleName", kind: varchar},
	}},
	{name: "ruleGroupList", kind: objectList, fields: []column{
		{name: "excludedRules", kind: objectList, fields: []column{{name: "exclusionType", kind: varchar}, {name: "ruleId", kind: varchar}}},
		column{fields: wafRule}.list("nonTerminatingMatchingRules"),
		{name: "ruleGroupId", kind: varchar},
		{name: "terminatingRule", kind: object, fields: append([]column(nil), wafRule...)},
	}},
	{name: "terminatingRuleId", kind: varchar},
	wafMatchDetails.list("terminatingRuleMatchDetails"),
	{name: "terminatingRuleType", kind: varchar},
	{name: "timestamp", kind: timestampMS, required: required, time: 1},
	{name: "webaclId", kind: varchar, required: required, account: 1}, // an ARN, though the tables say GUID
})

var wafNames = namesOf("webaclId", "httpRequest")

func claimsWAFWebACL(in *Input) bool { return in.has(wafNames) }

func parseWAFWebACL(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(wafWebACL, in, rec)
}

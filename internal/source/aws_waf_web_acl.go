package source

import "github.com/siempipe/siempipe/internal/record"

// Web ACL traffic, one object for each request.
// https://docs.aws.amazon.com/waf/latest/developerguide/logging-fields.html

var (
	wafMatchDetails = column{fields: []column{
		{name: "conditionType", kind: text_}, {name: "location", kind: text_}, {name: "matchedData", kind: textList},
	}}
	wafRule = []column{{name: "ruleId", kind: text_}, {name: "action", kind: text_}, wafMatchDetails.list("ruleMatchDetails")}
)

// list is a column of such objects.
func (c column) list(name string) column {
	return column{name: name, kind: objectList, fields: append([]column(nil), c.fields...)}
}

var wafWebACL = newLogType("AWS.WAFWebACL", []column{
	{name: "action", kind: text_, required: required},
	{name: "formatVersion", kind: smallint},
	{name: "httpRequest", kind: object, required: required, fields: []column{
		{name: "args", kind: text_},
		{name: "clientIp", kind: text_, feed: feedIP},
		{name: "country", kind: text_},
		{name: "headers", kind: objectList, fields: []column{{name: "name", kind: text_}, {name: "value", kind: text_}}},
		{name: "httpMethod", kind: text_},
		{name: "httpVersion", kind: text_},
		{name: "requestId", kind: text_, feed: feedTrace},
		{name: "uri", kind: text_},
	}},
	{name: "httpSourceId", kind: text_, required: required},
	{name: "httpSourceName", kind: text_},
	column{fields: wafRule}.list("nonTerminatingMatchingRules"),
	{name: "rateBasedRuleList", kind: objectList, fields: []column{
		{name: "limitKey", kind: text_},
		{name: "limitValue", kind: text_},
		{name: "maxRateAllowed", kind: bigint},
		{name: "rateBasedRuleId", kind: text_},
		{name: "rateBasedRuleName", kind: text_},
	}},
	{name: "ruleGroupList", kind: objectList, fields: []column{
		{name: "excludedRules", kind: objectList, fields: []column{{name: "exclusionType", kind: text_}, {name: "ruleId", kind: text_}}},
		column{fields: wafRule}.list("nonTerminatingMatchingRules"),
		{name: "ruleGroupId", kind: text_},
		{name: "terminatingRule", kind: object, fields: append([]column(nil), wafRule...)},
	}},
	{name: "terminatingRuleId", kind: text_},
	wafMatchDetails.list("terminatingRuleMatchDetails"),
	{name: "terminatingRuleType", kind: text_},
	{name: "timestamp", kind: timestampMS, required: required, time: 1},
	{name: "webaclId", kind: text_, required: required, account: 1}, // an ARN, though the tables say GUID
})

func claimsWAFWebACL(in *Input) bool { return in.has(markWebACLID) && in.has(markHTTPRequest) }

func parseWAFWebACL(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(wafWebACL, in, rec)
}

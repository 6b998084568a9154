package format

import (
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Route 53 Resolver's query log.
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs-format.html

var vpcDNS = newLogType("AWS.VPCDns", []column{
	{name: "version", kind: varchar, required: required},
	{name: "account_id", kind: varchar, required: required, feed: feedAccount, account: 1},
	{name: "region", kind: varchar, required: required},
	{name: "vpc_id", kind: varchar, required: required},
	// The vendor's own example, 2017-03-16T19:20:177Z, is no time: such a text stays.
	{name: "query_timestamp", kind: timestampOr, required: required, time: 1},
	{name: "query_name", kind: varchar, required: required, feed: feedDNSName},
	{name: "query_type", kind: varchar, required: required},
	{name: "query_class", kind: varchar, required: required},
	{name: "rcode", kind: varchar, required: required},
	{name: "answers", kind: objectList, required: required, feed: feedAnswers, fields: []column{ // [] for a name that does not exist
		{name: "Rdata", kind: varchar},
		{name: "Type", kind: varchar},
		{name: "Class", kind: varchar},
	}},
	{name: "srcaddr", kind: varchar, required: required, feed: feedIP},
	{name: "srcport", kind: varchar, required: required},
	{name: "transport", kind: varchar, required: required},
	{name: "srcids", kind: object, required: required, fields: []column{
		{name: "instance", kind: varchar, feed: feedInstance},
		{name: "resolver-endpoint", also: "resolver_endpoint", kind: varchar}, // logs have the other one
	}},
})

// answers adds what the answers tell, which stand at i of s: addresses, and names with their final dot.
func (x *indicators) answers(s string, i int) {
	for i++; s[i] != ']'; {
		switch s[i] {
		case ',':
			i++
		case '{':
			i = x.answer(s, i)
		default:
			i = jsonscan.ValueEnd(s, i)
		}
	}
}

// answer adds one answer and returns the index behind it.
func (x *indicators) answer(s string, i int) int {
	data, kind := "", ""
	for i++; s[i] != '}'; {
		if s[i] == ',' {
			i++
		}
		from := i + 1
		i = jsonscan.StringEnd(s, i) + 1 // the colon
		name, start := s[from:i-2], i
		if s[i] != '"' {
			i = jsonscan.ValueEnd(s, i)
			continue
		}
		i = jsonscan.StringEnd(s, i)
		switch value := s[start+1 : i-1]; {
		case isNamed(name, "Rdata"):
			data = jsonscan.Unquote(value)
		case isNamed(name, "Type"):
			kind = value
		}
	}
	switch kind {
	case "A", "AAAA":
		x.ip(data)
	case "MX": // preference and name
		x.feed(feedDNSName, data[strings.LastIndexByte(data, ' ')+1:])
	case "CNAME", "NS", "PTR":
		x.feed(feedDNSName, data)
	}
	return i + 1
}

var vpcDNSNames = namesOf("query_name", "query_timestamp")

func claimsVPCDNS(in *Input) bool { return in.has(vpcDNSNames) }

func parseVPCDNS(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(vpcDNS, in, rec)
}

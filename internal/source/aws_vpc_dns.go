package source

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
	{name: "answers", kind: objectList, required: required, fields: []column{ // [] for a name that does not exist
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
}).with(feedAnswers)

// feedAnswers adds what the answers tell: addresses, and names with their final dot.
func feedAnswers(p *Parser) {
	answers := p.in.fold("answers").Value
	elements := scanMembers(answers, 0)
	for {
		_, start, end, ok := elements.next(false)
		if !ok {
			return
		}
		if answers[start] != '{' {
			continue
		}
		data, kind := "", ""
		members := scanMembers(answers[:end], start)
		for {
			name, start, end, ok := members.next(true)
			if !ok {
				break
			}
			if value := answers[start:end]; value[0] == '"' {
				switch {
				case strings.EqualFold(name, "Rdata"):
					data = jsonscan.Unquote(value[1 : len(value)-1])
				case strings.EqualFold(name, "Type"):
					kind = value[1 : len(value)-1]
				}
			}
		}
		switch kind {
		case "A", "AAAA":
			p.row.feed(feedIP, data)
		case "MX": // preference and name
			p.row.feed(feedDNSName, data[strings.LastIndexByte(data, ' ')+1:])
		case "CNAME", "NS", "PTR":
			p.row.feed(feedDNSName, data)
		}
	}
}

func claimsVPCDNS(in *Input) bool { return in.has(markQueryName) && in.has(markQueryTimestamp) }

func parseVPCDNS(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(vpcDNS, in, rec)
}

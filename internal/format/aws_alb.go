package format

import (
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Access logs of Application Load Balancers, one line for each request.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html

var alb = newLogType("AWS.ALB", []column{
	{name: "type", kind: varchar, required: required}, // http, https, h2, grpcs, ws, wss; the vendor asks to take others too
	{name: "timestamp", kind: timestamp, required: required, time: 1},
	{name: "elb", kind: varchar},
	{name: "clientIp", kind: varchar, feed: feedIP},
	{name: "clientPort", kind: bigint},
	{name: "targetIp", kind: varchar, feed: feedIP},
	{name: "targetPort", kind: bigint},
	{name: "requestProcessingTime", kind: double},
	{name: "targetProcessingTime", kind: double},
	{name: "responseProcessingTime", kind: double},
	{name: "elbStatusCode", kind: bigint, required: required},
	{name: "targetStatusCode", kind: bigint},
	{name: "receivedBytes", kind: bigint},
	{name: "sentBytes", kind: bigint},
	{name: "requestHttpMethod", kind: varchar},
	{name: "requestUrl", kind: varchar},
	{name: "requestHttpVersion", kind: varchar},
	{name: "userAgent", kind: varchar},
	{name: "sslCipher", kind: varchar},
	{name: "sslProtocol", kind: varchar},
	{name: "targetGroupArn", kind: varchar, feed: feedARN, account: 1},
	{name: "traceId", kind: varchar},
	{name: "domainName", kind: varchar, feed: feedDomain},
	{name: "chosenCertArn", kind: varchar, feed: feedARN, account: 2}, // or session-reused
	{name: "matchedRulePriority", kind: bigint},
	{name: "requestCreationTime", kind: timestamp},
	{name: "actionsExecuted", kind: textList},
	{name: "redirectUrl", kind: varchar},
	{name: "errorReason", kind: varchar},
})

// Columns of the fields that are two columns each.
var (
	albClient = alb.index("clientIp")
	albTarget = alb.index("targetIp")
	albMethod = alb.index("requestHttpMethod")
)

// albLater are the fields that AWS added behind those of the table.
var albLater = [...]string{"targetPortList", "targetStatusCodeList", "classification", "classificationReason", "connTraceId"}

// claimsALB takes lines that begin with a word and an ISO 8601 time.
func claimsALB(in *Input) bool {
	if in.IsObject {
		return false
	}
	word, rest, ok := cutByte(in.Raw[:min(len(in.Raw), 64)], ' ')
	if !ok || word == "" {
		return false
	}
	for i := range len(word) {
		if c := word[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9' || i == 0) {
			return false
		}
	}
	time, _, ok := cutByte(rest, ' ')
	if !ok || len(time) < len("2006-01-02T15:04:05Z") || time[10] != 'T' {
		return false
	}
	_, ok = parseInstant(time)
	return ok
}

func parseALB(p *Parser, in *Input, rec *record.Record) error {
	if in.IsObject {
		return p.parseJSON(alb, in, rec)
	}
	if !claimsALB(in) {
		return errNoLine
	}
	l := lineScanner{s: in.Raw}
	dst := p.beginLine()
	var err error
	column := 0
	put := func(field string) {
		if err == nil {
			dst, err = p.put(dst, alb, column, field)
		}
		column++
	}
	for column < albMethod {
		field := l.next()
		if column != albClient && column != albTarget {
			put(field)
			continue
		}
		host, port, ok := splitPort(field)
		if !ok || !isPlainInteger(port) { // the whole of it names the peer
			host, port = strings.Trim(field, "[]"), ""
		}
		put(host)
		put(port)
	}
	method, url, version := splitRequest(l.quotedBefore(endsALBRequest, false))
	put(method)
	put(url)
	put(version)
	put(l.quotedBefore(endsALBUserAgent, true)) // a client may write anything into it, also what follows it
	for column < len(alb.table.fields) {
		if l.atEnd() {
			return fmt.Errorf("%s: missing: the line ends before it", alb.table.fields[column].name)
		}
		put(l.quoted())
	}
	if err != nil {
		return err
	}
	for _, name := range albLater {
		if field := l.quoted(); field != "" && field != "-" {
			dst = jsonscan.AppendQuoted(appendMember(dst, name), field)
		}
	}
	return p.endLine(putMore(dst, l.all()), alb, in, rec)
}

// endsALBRequest: behind the request the user agent follows.
func endsALBRequest(rest string) bool {
	return strings.HasPrefix(rest, `"`) || strings.HasPrefix(rest, "- ")
}

// endsALBUserAgent: behind the user agent follow cipher, protocol and target group, which a client cannot choose, and a
// quoted field.
func endsALBUserAgent(rest string) bool {
	if strings.HasPrefix(rest, `"`) { // most quotes of the line
		return false
	}
	l := lineScanner{s: rest}
	cipher, protocol, group := l.next(), l.next(), l.next()
	if cipher == "" || strings.ContainsAny(cipher, `"/`) {
		return false
	}
	return (protocol == "-" || strings.HasPrefix(protocol, "TLS") || strings.HasPrefix(protocol, "SSL")) &&
		(group == "-" || strings.HasPrefix(group, "arn:"))
}

// splitRequest takes a request line apart at its first and last blank: the address between them may hold more. A request
// that could not be read is "- http://host:80- ".
func splitRequest(request string) (method, url, version string) {
	method, url, _ = cutByte(request, ' ')
	if last := strings.LastIndexByte(url, ' '); last >= 0 {
		url, version = url[:last], url[last+1:]
	}
	return method, url, version
}

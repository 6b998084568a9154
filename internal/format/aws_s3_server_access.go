package format

import (
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/record"
)

// Server access logs of S3, one line for each request.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html

var s3ServerAccess = newLogType("AWS.S3ServerAccess", []column{
	{name: "bucketowner", kind: varchar, required: required, account: 1}, // a canonical id, which stands for one account
	{name: "bucket", kind: varchar},
	{name: "time", kind: timestamp, time: 1},
	{name: "remoteip", kind: varchar, feed: feedIP},
	{name: "requester", kind: varchar, feed: feedARN},
	{name: "requestid", kind: varchar},
	{name: "operation", kind: varchar},
	{name: "key", kind: varchar},
	{name: "requesturi", kind: varchar},
	{name: "httpstatus", kind: bigint},
	{name: "errorcode", kind: varchar},
	{name: "bytessent", kind: bigint},
	{name: "objectsize", kind: bigint},
	{name: "totaltime", kind: bigint},
	{name: "turnaroundtime", kind: bigint},
	{name: "referrer", kind: varchar},
	{name: "useragent", kind: varchar},
	{name: "versionid", kind: varchar},
	{name: "hostid", kind: varchar},
	{name: "signatureversion", kind: varchar},
	{name: "ciphersuite", kind: varchar},
	{name: "authenticationtype", kind: varchar},
	{name: "hostheader", kind: varchar},
	{name: "tlsVersion", kind: varchar},
	{name: additionalFields, kind: textList},
})

var (
	s3Time    = s3ServerAccess.index("time")
	s3URI     = s3ServerAccess.index("requesturi")
	s3Referer = s3ServerAccess.index("referrer")
	s3Version = s3ServerAccess.index("versionid")
	s3More    = s3ServerAccess.index(additionalFields)
)

// claimsS3ServerAccess takes lines whose third field is a time in brackets.
func claimsS3ServerAccess(in *Input) bool {
	if in.IsObject {
		return false
	}
	l := lineScanner{s: in.Raw}
	if owner := l.next(); !isAlphanumeric(owner) && owner != "-" {
		return false
	}
	l.next() // the bucket
	_, ok := parseLogTime(l.rest())
	return ok
}

func isAlphanumeric(s string) bool {
	for i := range len(s) {
		if c := s[i]; c-'0' > 9 && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}

// logTime is how long a time is in brackets: [06/Feb/2019:00:00:38 +0000].
const logTime = len("[06/Feb/2019:00:00:38 +0000]")

const monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"

// parseLogTime reads the time in brackets that s begins with.
func parseLogTime(s string) (t instant, ok bool) {
	if len(s) < logTime || s[0] != '[' || s[3] != '/' || s[7] != '/' || s[12] != ':' || s[15] != ':' || s[18] != ':' || s[21] != ' ' || s[logTime-1] != ']' {
		return t, false
	}
	month := strings.Index(monthNames, s[4:7])
	if month < 0 || month%3 != 0 {
		return t, false
	}
	var iso [len("2006-01-02T15:04:05+0000")]byte
	copy(iso[:], s[8:12])
	iso[4] = '-'
	append2(iso[5:5], int64(month/3+1))
	iso[7] = '-'
	copy(iso[8:], s[1:3])
	iso[10] = 'T'
	copy(iso[11:], s[13:21])
	copy(iso[19:], s[22:27])
	return parseInstant(string(iso[:]))
}

func parseS3ServerAccess(p *Parser, in *Input, rec *record.Record) error {
	if in.IsObject {
		return p.parseJSON(s3ServerAccess, in, rec)
	}
	l := lineScanner{s: in.Raw}
	dst := p.beginLine()
	var err error
	column := 0
	put := func(field string) {
		if err == nil {
			dst, err = p.put(dst, s3ServerAccess, column, field)
		}
		column++
	}
	for column < s3URI {
		if column != s3Time {
			put(l.next())
			continue
		}
		t, ok := parseLogTime(l.rest())
		if !ok {
			return errNoLine
		}
		dst = p.putTime(dst, s3ServerAccess, column, t)
		column++
		l.i = len(l.s) - len(l.rest()) + logTime
	}
	put(l.quotedBefore(endsRequestURI, false))
	for column < s3Referer {
		put(l.next())
	}
	// Both come from the client as they are, quotes and all. Nothing behind them is quoted, so that the last quote of the
	// line ends the second; where between them several could, the first is taken.
	referer, agent := l.quotedBefore(beginsQuoted, false), ""
	if rest := l.rest(); strings.HasPrefix(rest, `"`) {
		if end := strings.LastIndexByte(rest, '"'); end > 0 {
			agent = rest[1:end]
			l.i = len(l.s) - len(rest) + end + 1
		} else {
			agent = l.next()
		}
	} else {
		agent = l.next()
	}
	put(referer)
	put(agent)
	for column = s3Version; column < s3More; {
		field := l.next()
		if field == "" && column > s3Version { // older lines end before the fields that AWS added since 2018
			break
		}
		if field == "" {
			return fmt.Errorf("%s: missing: the line ends before it", s3ServerAccess.table.fields[column].name)
		}
		put(field)
	}
	if err != nil {
		return err
	}
	if owner := in.Raw[:max(0, strings.IndexByte(in.Raw, ' '))]; !isAlphanumeric(owner) {
		return fmt.Errorf("bucketowner: is %s, want a canonical id", quote(owner))
	}
	return p.endLine(putMore(dst, l.all()), s3ServerAccess, in, rec)
}

// endsRequestURI: behind the request line follows a status of three digits, or a dash.
func endsRequestURI(rest string) bool {
	l := lineScanner{s: rest}
	status := l.next()
	return status == "-" || len(status) == 3 && isPlainInteger(status)
}

// beginsQuoted: behind the referrer follows a quoted field, or a dash.
func beginsQuoted(rest string) bool {
	return strings.HasPrefix(rest, `"`) || strings.HasPrefix(rest, "- ")
}

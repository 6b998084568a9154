package format

import (
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/record"
)

// Audit logs of Aurora MySQL, one line of values with commas between them for each thing that happened.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Auditing.html

var auroraMySQLAudit = newLogType("AWS.AuroraMySQLAudit", []column{
	{name: "timestamp", kind: timestamp, time: 1},
	{name: "serverHost", kind: varchar, feed: feedDomain},
	{name: "username", kind: varchar},
	{name: "host", kind: varchar, feed: feedIP},
	{name: "connectionId", kind: bigint},
	{name: "queryId", kind: bigint},
	{name: "operation", kind: varchar, required: required}, // FAILED_CONNECT and DISCONNECT beside those that are documented
	{name: "database", kind: varchar},
	{name: "object", kind: varchar},
	{name: "retCode", kind: bigint},
})

// auroraObject is the column that may hold commas: the query.
var auroraObject = auroraMySQLAudit.index("object")

// claimsAuroraMySQLAudit takes lines that begin with microseconds since 1970 and have the commas.
func claimsAuroraMySQLAudit(in *Input) bool {
	if in.IsObject {
		return false
	}
	time, rest, ok := cutByte(in.Raw[:min(len(in.Raw), 32)], ',')
	if !ok || len(time) < 15 || len(time) > 16 || rest == "" {
		return false
	}
	_, ok = parseInteger(time)
	return ok && strings.Count(in.Raw, ",") >= auroraObject
}

func parseAuroraMySQLAudit(p *Parser, in *Input, rec *record.Record) error {
	if in.IsObject {
		return p.parseJSON(auroraMySQLAudit, in, rec)
	}
	dst := p.beginLine()
	rest := in.Raw
	for column := range auroraObject {
		field, after, ok := cutByte(rest, ',')
		if !ok {
			return fmt.Errorf("%s: missing: the line ends before it", auroraMySQLAudit.table.fields[column+1].name)
		}
		rest = after
		if column == 0 {
			if field == "" {
				continue
			}
			micros, ok := parseInteger(field)
			t, inRange := epochInstant(micros, 1_000_000)
			if !ok || !inRange {
				return fmt.Errorf("timestamp: is %s, want microseconds since 1970", quote(field))
			}
			dst = p.putTime(dst, auroraMySQLAudit, 0, t)
			continue
		}
		var err error
		if dst, err = p.put(dst, auroraMySQLAudit, column, field); err != nil {
			return err
		}
	}
	code := rest
	if last := strings.LastIndexByte(rest, ','); last >= 0 {
		if object := rest[:last]; object != "" {
			var err error
			if dst, err = p.put(dst, auroraMySQLAudit, auroraObject, object); err != nil {
				return err
			}
		}
		code = rest[last+1:]
	}
	dst, err := p.put(dst, auroraMySQLAudit, auroraObject+1, strings.TrimSpace(code))
	if err != nil {
		return err
	}
	return p.endLine(dst, auroraMySQLAudit, in, rec)
}

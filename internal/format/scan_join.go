package format

import (
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
)

// A Perception Point scan comes twice where both the API and the syslog service are used. The line may be cut, or hold a forged
// pair; the API's scan of the same Scan ID is whole and cannot be forged. A joined record says so in one member:
//
//	"joined":{"format":"perception_point","damage":["truncated"],"line":"datetime:…"}
//
// format is where the other half came from, damage what was wrong with the line, line the line as it came.

// joinedMember is the member that says what a record was joined from.
const joinedMember = "joined"

// JoinKey is what a line and the API's scan of the same Scan ID have in common: the API's ends with the day of the scan,
// which the documented line does not have.
func JoinKey(scanID string) string {
	if n := len(scanID) - len("_20230607"); n > 0 && scanID[n] == '_' && strings.Trim(scanID[n+1:], "0123456789") == "" {
		return scanID[:n]
	}
	return scanID
}

// Damage says what is wrong with a parsed line: truncated, ambiguous, both or nothing; and the line as it came. It says
// nothing of records of other formats, of lines without a Scan ID and of those that were joined already.
func Damage(rec *record.Record) (damage []string, line string) {
	if rec.Format != "perception_point_syslog" || rec.EventType == record.Invalid {
		return nil, ""
	}
	var room [24]jsonscan.Member
	members, _, err := jsonscan.Members(room[:0], rec.Body)
	if err != nil || text(find(members, perceptionpoint.KeyScanID)) == "" || find(members, joinedMember) != nil || find(members, scanMember) != nil {
		return nil, ""
	}
	for _, name := range [...]string{"ambiguous", "truncated"} {
		if m := find(members, name); m != nil && m.Value == "true" {
			damage = append(damage, name)
		}
	}
	if line = text(find(members, "raw")); line == "" {
		return nil, ""
	}
	return damage, line
}

// IsScan reports whether records of a format are scans, which are joined and may become findings.
func IsScan(format string) bool {
	f, ok := Lookup(format)
	return ok && f.scans
}

// ScanPairs are the members of a parsed API scan that the line has too, as JSON text without braces; "" for every other
// record, and for a scan that was joined already.
func ScanPairs(rec *record.Record) string {
	if rec.Format != "perception_point" || rec.EventType == record.Invalid {
		return ""
	}
	var room [64]jsonscan.Member
	members, _, err := jsonscan.Members(room[:0], rec.Body)
	if err != nil || find(members, joinedMember) != nil || find(members, scanMember) != nil {
		return ""
	}
	var b []byte
	for i := range members {
		m := &members[i]
		var l scanLine
		if m.Kind != jsonscan.String || !l.set(m.Key(), "") {
			continue
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = jsonscan.AppendQuoted(b, m.Key())
		b = append(append(b, ':'), m.Value...)
	}
	return string(b)
}

// RepairedLine is the body of a damaged line with the pairs of its API scan.
func RepairedLine(pairs string, damage []string, line string) string {
	b := append([]byte("{"), pairs...)
	return string(append(appendJoined(b, "perception_point", damage, line), '}'))
}

// JoinedScan is the body of an API scan that a damaged line was waiting for.
func JoinedScan(body string, damage []string, line string) string {
	b := append(make([]byte, 0, len(body)+len(line)+128), strings.TrimSuffix(body, "}")...)
	return string(append(appendJoined(b, "perception_point_syslog", damage, line), '}'))
}

func appendJoined(b []byte, format string, damage []string, line string) []byte {
	b = appendName(b, joinedMember)
	b = append(b, `{"format":`...)
	b = jsonscan.AppendQuoted(b, format)
	b = append(b, `,"damage":[`...)
	for i, d := range damage {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonscan.AppendQuoted(b, d)
	}
	b = append(b, `],"line":`...)
	b = jsonscan.AppendQuoted(b, line)
	return append(b, '}')
}

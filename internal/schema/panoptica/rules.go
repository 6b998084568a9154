package panoptica

import (
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// Limits of the vendor's schema.
const (
	maxAccountRunes = 50 // a comma-separated list of four 12-digit accounts has 51
	tenantPrefix    = "id"
	maxRiskScore    = 100
)

func want(kind string, m *jsonscan.Member) string { return "is " + m.Kind.String() + ", want " + kind }

func checkTenant(m *jsonscan.Member) string {
	if text := m.Text(); !strings.HasPrefix(text, tenantPrefix) {
		return fmt.Sprintf("is %s, want %q at its beginning", quoted(text), tenantPrefix)
	}
	return ""
}

func checkAccount(m *jsonscan.Member) string {
	text := m.Text()
	if len(text) >= 1 && len(text) <= maxAccountRunes {
		return ""
	}
	if n := utf8.RuneCountInString(text); n < 1 || n > maxAccountRunes {
		return fmt.Sprintf("has %d characters, want 1 to %d", n, maxAccountRunes)
	}
	return ""
}

func checkRelatedResources(m *jsonscan.Member) string {
	if plainLists(m.Value) {
		return ""
	}
	reason := ""
	eachElement(m.Value, func(i int, outer string, kind jsonscan.Kind) bool {
		if kind != jsonscan.Array {
			reason = fmt.Sprintf("element %d is %s, want array of strings", i, kind)
			return false
		}
		eachElement(outer, func(j int, _ string, kind jsonscan.Kind) bool {
			if kind != jsonscan.String {
				reason = fmt.Sprintf("element %d.%d is %s, want string", i, j, kind)
			}
			return reason == ""
		})
		return reason == ""
	})
	return reason
}

// plainLists reports whether an array that was scanned before holds nothing but arrays of strings that are not empty, without
// blanks between them. When it says no it may be right nevertheless.
func plainLists(array string) bool {
	for i := 1; i+1 < len(array) && array[i] == '[' && array[i+1] == '"'; i++ {
		for i++; i < len(array) && array[i] == '"'; i++ {
			var ok bool
			if i, ok = jsonscan.SkipString(array, i); !ok || i >= len(array) || array[i] != ',' {
				break
			}
		}
		if i+1 >= len(array) || array[i] != ']' {
			return false
		}
		if i++; array[i] == ']' {
			return true
		}
		if array[i] != ',' {
			return false
		}
	}
	return false
}

// eachElement calls f for each element of an array that was scanned before, until f says false.
func eachElement(array string, f func(i int, element string, kind jsonscan.Kind) bool) {
	at := jsonscan.SkipBlanks(array, 1)
	for i := 0; at < len(array) && array[at] != ']'; i++ {
		end, kind, ok := jsonscan.Skip(array, at)
		if !ok || !f(i, array[at:end], kind) {
			return
		}
		if at = jsonscan.SkipBlanks(array, end); at < len(array) && array[at] == ',' {
			at = jsonscan.SkipBlanks(array, at+1)
		}
	}
}

func checkRiskParams(m *jsonscan.Member) string {
	if scoreFirst(m.Value) {
		return ""
	}
	seen, reason := false, ""
	eachMember(m.Value, func(name, text string, kind jsonscan.Kind) bool {
		switch {
		case name != "risk_score" && (strings.IndexByte(name, '\\') < 0 || jsonscan.Unquote(name) != "risk_score"):
		case seen:
			reason = "holds risk_score twice"
		case kind != jsonscan.Number:
			reason = "holds risk_score, which is " + kind.String() + ", want integer"
		case !isScore(text):
			reason = fmt.Sprintf("holds risk_score %s, want an integer from 0 to %d", cut(text), maxRiskScore)
		default:
			seen = true
		}
		return reason == ""
	})
	return reason
}

// scoreFirst reports whether risk params begin with a valid risk_score and hold no other, as the vendor writes them. When it
// says no they may be valid nevertheless.
func scoreFirst(object string) bool {
	rest, ok := strings.CutPrefix(object, `{"risk_score":`)
	if !ok {
		return false
	}
	digits := 0
	for digits < len(rest) && digits <= 3 && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	if digits == 0 || digits == len(rest) || rest[digits] != ',' && rest[digits] != '}' || !isScore(rest[:digits]) {
		return false
	}
	rest = rest[digits:]
	return !strings.Contains(rest, "risk_score") && strings.IndexByte(rest, '\\') < 0
}

// eachMember calls f for each member of an object that was scanned before, until f says false; names are as they stand
// between their quotes.
func eachMember(object string, f func(name, value string, kind jsonscan.Kind) bool) {
	at := jsonscan.SkipBlanks(object, 1)
	for at < len(object) && object[at] == '"' {
		nameEnd, ok := jsonscan.SkipString(object, at)
		if !ok {
			return
		}
		name := object[at+1 : nameEnd-1]
		at = jsonscan.SkipBlanks(object, jsonscan.SkipBlanks(object, nameEnd)+1) // over the colon
		end, kind, ok := jsonscan.Skip(object, at)
		if !ok || !f(name, object[at:end], kind) {
			return
		}
		if at = jsonscan.SkipBlanks(object, end); at < len(object) && object[at] == ',' {
			at = jsonscan.SkipBlanks(object, at+1)
		}
	}
}

// isScore accepts what JSON Schema calls an integer from 0 to 100: 87, 87.0 and 8.7e1 are the same one.
func isScore(number string) bool {
	if len(number) <= 3 { // the common case
		n := 0
		for i := 0; ; i++ {
			if i == len(number) {
				return n <= maxRiskScore
			}
			if number[i] < '0' || number[i] > '9' {
				break
			}
			n = n*10 + int(number[i]-'0')
		}
	}
	if len(number) > 32 { // a longer text is no score, and 1e999999999 must not be computed
		return false
	}
	if e := strings.IndexAny(number, "eE"); e >= 0 && len(number)-e > 4 {
		return false
	}
	score, ok := new(big.Rat).SetString(number)
	return ok && score.IsInt() && score.Sign() >= 0 && score.Cmp(big.NewRat(maxRiskScore, 1)) <= 0
}

// ParseDateTime reads an RFC 3339 date-time, strictly: two-digit fields, a point before fractions, a zone. A leap
// second, which RFC 3339 allows at the end of a UTC day in June or December only, is read as the second before it.
func ParseDateTime(text string) (time.Time, bool) {
	if t, ok := plainDateTime(text); ok {
		return t, true
	}
	// time.Parse is lenient where RFC 3339 is not: one-digit hours, a comma before fractions.
	if len(text) < len("2006-01-02T15:04:05Z") || text[13] != ':' || text[19] == ',' {
		return time.Time{}, false
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, true
	}
	// Lower-case t and z, and the leap second, are RFC 3339 too and rare.
	upper := strings.ToUpper(text)
	leap := upper[17:19] == "60"
	if leap {
		upper = upper[:17] + "59" + upper[19:]
	}
	t, err := time.Parse(time.RFC3339Nano, upper)
	if err != nil {
		return time.Time{}, false
	}
	if leap && !isLeapSecond(t.UTC()) {
		return time.Time{}, false
	}
	return t, true
}

// plainDateTime reads 2006-01-02T15:04:05Z and the same with a fraction of up to nine digits, what nearly every vendor writes.
func plainDateTime(text string) (time.Time, bool) {
	n := len(text)
	if n < len("2006-01-02T15:04:05Z") || n > len("2006-01-02T15:04:05.999999999Z") || text[n-1] != 'Z' ||
		text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' {
		return time.Time{}, false
	}
	year, month, day := 100*two(text, 0)+two(text, 2), two(text, 5), two(text, 8)
	hour, minute, second := two(text, 11), two(text, 14), two(text, 17)
	nanos := 0
	if n > 20 {
		if text[19] != '.' || n == 21 {
			return time.Time{}, false
		}
		for i := 20; i < 29; i++ {
			nanos *= 10
			if i < n-1 {
				digit := text[i] - '0'
				if digit > 9 {
					return time.Time{}, false
				}
				nanos += int(digit)
			}
		}
	}
	if year < 1 || month < 1 || month > 12 || day < 1 || day > 28 && day > daysOf(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false
	}
	days := daysSince1970(year, month, day)
	return time.Unix(int64(days)*86400+int64(hour*3600+minute*60+second), int64(nanos)).UTC(), true
}

func daysOf(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts days of the Gregorian calendar from the year 1 on, in years that begin in March, so that the day that
// is sometimes there comes last.
func daysSince1970(year, month, day int) int {
	if month <= 2 {
		year, month = year-1, month+12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 719469
}

// two reads two digits at i; what is none makes it negative.
func two(text string, i int) int {
	tens, ones := text[i]-'0', text[i+1]-'0'
	if tens > 9 || ones > 9 {
		return -10_000
	}
	return int(tens)*10 + int(ones)
}

func isLeapSecond(t time.Time) bool {
	return t.Hour() == 23 && t.Minute() == 59 &&
		(t.Month() == time.June && t.Day() == 30 || t.Month() == time.December && t.Day() == 31)
}

// maxQuoted is how much of a value an error repeats, in bytes.
const maxQuoted = 64

func quoted(text string) string { return fmt.Sprintf("%q", cut(text)) }

func cut(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	end := maxQuoted
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

package format

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// instant is a point in time as logs write it: seconds since 1970 and nanoseconds, UTC. It is what time.Time is without
// the cost of calendars: a flow log's line has three of them.
type instant struct {
	sec int64
	ns  int32
}

// Bounds of what is taken for a time: the years 0001 to 9999, which every reader of a timestamp column takes.
const (
	minInstant = -62135596800
	maxInstant = 253402300799
)

func instantOf(t time.Time) instant { return instant{t.Unix(), int32(t.Nanosecond())} }

func (t instant) time() time.Time { return time.Unix(t.sec, int64(t.ns)).UTC() }

// epochInstant is n units since 1970, where unit is how many make a second.
func epochInstant(n, unit int64) (instant, bool) {
	sec, rest := n/unit, n%unit
	if n < 0 || sec > maxInstant {
		return instant{}, false
	}
	return instant{sec, int32(rest * (int64(time.Second) / unit))}, true
}

// parseInstant reads YYYY-MM-DDTHH:MM:SS with any number of decimals, a blank instead of the T, and Z, an offset, or no
// zone, which is UTC: ISO 8601 as logs write it, and the form in which it goes out. A leap second is the one before it.
func parseInstant(s string) (t instant, ok bool) {
	if len(s) < len("2006-01-02T15:04:05") || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' {
		return t, false
	}
	if c := s[10]; c != 'T' && c != ' ' && c != 't' {
		return t, false
	}
	year, month, day := digits4(s, 0), digits2(s, 5), digits2(s, 8)
	hour, minute, second := digits2(s, 11), digits2(s, 14), digits2(s, 17)
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysOf(year, month) || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return t, false
	}
	second = min(second, 59)
	i := 19
	if i < len(s) && s[i] == '.' {
		i++
		scale := int32(100_000_000)
		from := i
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			t.ns += int32(s[i]-'0') * scale
			scale /= 10
			i++
		}
		if i == from {
			return t, false
		}
	}
	offset, ok := parseOffset(s[i:])
	t.sec = daysSince1970(year, month, day)*86400 + int64(hour*3600+minute*60+second) - offset
	return t, ok && t.sec >= minInstant && t.sec <= maxInstant
}

// parseUSInstant reads 12/31/2025 3:03:58 PM, month first, in UTC.
func parseUSInstant(s string) (instant, bool) {
	if strings.IndexByte(s, '/') < 0 { // time.Parse would allocate its error
		return instant{}, false
	}
	t, err := time.Parse("1/2/2006 3:04:05 PM", s)
	return instantOf(t), err == nil && t.Unix() >= minInstant && t.Unix() <= maxInstant
}

// parseOffset reads a zone in seconds east of UTC: nothing, Z, UTC, +hh:mm or +hhmm.
func parseOffset(s string) (seconds int64, ok bool) {
	switch {
	case s == "" || s == "Z" || s == "z" || s == " UTC":
		return 0, true
	case s[0] != '+' && s[0] != '-':
		return 0, false
	}
	var h, m int
	switch {
	case len(s) == 6 && s[3] == ':':
		h, m = digits2(s, 1), digits2(s, 4)
	case len(s) == 5:
		h, m = digits2(s, 1), digits2(s, 3)
	default:
		return 0, false
	}
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	seconds = int64(h*3600 + m*60)
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// digits2 reads two digits at i; negative when they are none.
func digits2(s string, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return math.MinInt16
	}
	return int(a)*10 + int(b)
}

func digits4(s string, i int) int { return digits2(s, i)*100 + digits2(s, i+2) }

var monthDays = [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func daysOf(year, month int) int {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return monthDays[month-1]
}

// daysSince1970 counts days of the Gregorian calendar in eras of 400 years whose years begin in March, so that the day
// that is sometimes there comes last.
func daysSince1970(year, month, day int) int64 {
	if month <= 2 {
		year--
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	yearOfEra := year - era*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return int64(era)*146097 + int64(dayOfEra) - 719468
}

// dayCache is the text of the day that was written last: most times of a log are of one day.
type dayCache struct {
	day  int64 // since 1970
	text [len("2006-01-02 ")]byte
}

// Lengths of what append writes: with milliseconds, and at most.
const (
	timeLength = len("2006-01-02 15:04:05.000")
	timeRoom   = len("2006-01-02 15:04:05.000000000")
)

// twoDigits are the numbers below 100.
var twoDigits = func() (digits [100][2]byte) {
	for n := range digits {
		digits[n] = [2]byte{byte('0' + n/10), byte('0' + n%10)}
	}
	return digits
}()

// append appends a time as YYYY-MM-DD HH:MM:SS.fff, the form that Panther documents: UTC without saying so. Times finer than
// a millisecond get six or nine decimals, so that nothing is lost.
func (c *dayCache) append(dst []byte, t instant) []byte {
	day, rest := t.sec/86400, t.sec%86400
	if rest < 0 {
		day, rest = day-1, rest+86400
	}
	if c.day != day || c.text[0] == 0 {
		c.day = day
		appendDay(c.text[:0], day)
	}
	n := len(dst)
	dst = slices.Grow(dst, timeRoom)[:n+timeLength]
	text := (*[timeLength]byte)(dst[n:])
	*(*[len(c.text)]byte)(text[:]) = c.text
	seconds, ms := uint32(rest), uint32(t.ns)/1_000_000
	minutes := seconds / 60
	hours := minutes / 60
	text[11], text[12], text[13] = twoDigits[hours][0], twoDigits[hours][1], ':'
	minutes -= hours * 60
	text[14], text[15], text[16] = twoDigits[minutes][0], twoDigits[minutes][1], ':'
	seconds %= 60
	text[17], text[18], text[19] = twoDigits[seconds][0], twoDigits[seconds][1], '.'
	text[20], text[21], text[22] = '0', '0', '0'
	if t.ns == 0 {
		return dst
	}
	text[20] = byte('0' + ms/100)
	ms %= 100
	text[21], text[22] = twoDigits[ms][0], twoDigits[ms][1]
	if below := int64(t.ns) % 1_000_000; below != 0 {
		dst = append3(dst, below/1000)
		if below%1000 != 0 {
			dst = append3(dst, below%1000)
		}
	}
	return dst
}

// appendDay appends a day as YYYY-MM-DD and a blank. It is the reverse of daysSince1970.
func appendDay(dst []byte, day int64) []byte {
	day += 719468
	era := day / 146097
	if day < 0 {
		era = (day - 146096) / 146097
	}
	dayOfEra := day - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	year := yearOfEra + era*400
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*dayOfYear + 2) / 153
	month := shifted + 3
	if month > 12 {
		month -= 12
	}
	if month <= 2 {
		year++
	}
	dst = append2(append2(dst, year/100), year%100)
	dst = append2(append(dst, '-'), month)
	dst = append2(append(dst, '-'), dayOfYear-(153*shifted+2)/5+1)
	return append(dst, ' ')
}

func append2(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

func append3(dst []byte, n int64) []byte {
	return append(dst, byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
}

// parseInteger reads a decimal integer of 64 bits: digits with an optional minus and nothing else.
func parseInteger(s string) (n int64, ok bool) {
	if len(s) == 0 || len(s) > len("-9223372036854775808") {
		return 0, false
	}
	if len(s) < 18 { // the common case, without strconv's errors
		i := 0
		if s[0] == '-' {
			i = 1
		}
		if i == len(s) {
			return 0, false
		}
		for ; i < len(s); i++ {
			c := s[i] - '0'
			if c > 9 {
				return 0, false
			}
			n = n*10 + int64(c)
		}
		if s[0] == '-' {
			n = -n
		}
		return n, true
	}
	if s[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

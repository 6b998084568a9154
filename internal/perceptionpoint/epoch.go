package perceptionpoint

import (
	"strconv"
	"strings"
	"time"
)

// AppendEpoch appends t as decimal seconds since 1970 UTC; a fraction is written only where there is one, without zeros
// at its end.
func AppendEpoch(dst []byte, t time.Time) []byte {
	sec, ns := t.Unix(), t.Nanosecond()
	if sec < 0 && ns > 0 { // -1.5 is one second and a half before 1970
		sec, ns = sec+1, int(time.Second)-ns
		if sec == 0 {
			dst = append(dst, '-')
		}
	}
	dst = strconv.AppendInt(dst, sec, 10)
	if ns == 0 {
		return dst
	}
	dst = append(dst, '.')
	for scale := int(100 * time.Millisecond); ns > 0; scale /= 10 {
		dst = append(dst, byte('0'+ns/scale))
		ns %= scale
	}
	return dst
}

// ParseEpoch reads decimal seconds since 1970 with an optional fraction, exactly to the nanosecond; further digits are cut
// off. It takes what lies between the years 1970 and 9999.
func ParseEpoch(s string) (time.Time, bool) {
	whole, fraction, hasFraction := strings.Cut(s, ".")
	if whole == "" || len(whole) > 12 || hasFraction && fraction == "" {
		return time.Time{}, false
	}
	var sec, ns int64
	for _, c := range []byte(whole) {
		if c < '0' || c > '9' {
			return time.Time{}, false
		}
		sec = sec*10 + int64(c-'0')
	}
	scale := int64(time.Second / 10)
	for _, c := range []byte(fraction) {
		if c < '0' || c > '9' {
			return time.Time{}, false
		}
		ns += int64(c-'0') * scale
		scale /= 10
	}
	const year10000 = 253402300800
	if sec >= year10000 {
		return time.Time{}, false
	}
	return time.Unix(sec, ns).UTC(), true
}

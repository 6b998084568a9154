package record

import "time"

// endOfSpan is 2262-01-01 UTC in seconds since 1970.
const endOfSpan = 9214646400

// Representable reports whether a record can carry t as its time: the years 1970 to 2261, which is what nanoseconds since
// 1970 in 64 bits hold. Outside of it an overflow would put the record under a wrong day, so such a time counts as none.
func Representable(t time.Time) bool {
	s := t.Unix()
	return s >= 0 && s < endOfSpan
}

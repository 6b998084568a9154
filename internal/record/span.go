package record

import "time"

// Representable reports whether a record can carry t as its time: the years 1970 to 2261, which is what nanoseconds since
// 1970 in 64 bits hold. Outside of it an overflow would put the record under a wrong day, so such a time counts as none.
func Representable(t time.Time) bool {
	return !t.IsZero() && t.Year() >= 1970 && t.Year() <= 2261
}

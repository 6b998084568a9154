package objectstore

import (
	"math"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/record"
)

// maxSegmentBytes is the longest segment of a key: three of them, the root and the file name stay far below the 1,024
// bytes of an S3 key and the 255 bytes of a file name.
const maxSegmentBytes = 128

// unknown stands for what a record does not say.
const unknown = "unknown"

// Partition is what all records of one object have in common. It holds the records' own values: two accounts whose
// names reduce to the same key segment share a folder and never an object.
type Partition struct {
	EventType string
	Day       string // YYYY-MM-DD, UTC
	Account   string
}

// Days makes the texts of days, that of the same day once: most records are of the same one as those before. The zero value
// is ready; it is for one goroutine.
type Days struct {
	day  int64 // since 1970
	text string
}

// Of is the day of t in UTC, "" when t is zero.
func (d *Days) Of(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	const seconds = 24 * 60 * 60
	day := int64(math.Floor(float64(t.Unix()) / seconds))
	if d.text == "" || day != d.day {
		d.day, d.text = day, t.UTC().Format(time.DateOnly)
	}
	return d.text
}

// PartitionOf is the partition of a record by its own time, or by at when that is set.
func (d *Days) PartitionOf(rec *record.Record, at time.Time) Partition {
	if at.IsZero() {
		at = rec.EventTime()
	}
	return Partition{EventType: rec.EventType, Day: d.Of(at), Account: rec.AccountID}
}

// Key is the object key of a file of the partition under a root, which may have several segments.
func (p Partition) Key(root, file string) string {
	var key strings.Builder
	appendRoot(&key, root)
	for _, part := range [...]string{p.EventType, p.Day, p.Account, file} {
		key.WriteString(Segment(part))
		key.WriteByte('/')
	}
	return strings.TrimSuffix(key.String(), "/")
}

// appendRoot writes the segments of a root as keys have them, a slash behind each.
func appendRoot(key *strings.Builder, root string) {
	for part := range strings.SplitSeq(root, "/") {
		if part != "" {
			key.WriteString(Segment(part))
			key.WriteByte('/')
		}
	}
}

// Segment reduces a text to one segment of a key: [A-Za-z0-9._-], anything else as _, never . or .., "unknown" when
// empty, cut at 128 bytes. No text can so become a way out of its folder.
func Segment(text string) string {
	if text == "" {
		return unknown
	}
	if len(text) > maxSegmentBytes {
		text = text[:maxSegmentBytes]
	}
	clean := true
	for i := range len(text) {
		if !segmentByte(text[i]) {
			clean = false
			break
		}
	}
	if !clean {
		reduced := []byte(text)
		for i, c := range reduced {
			if !segmentByte(c) {
				reduced[i] = '_'
			}
		}
		text = string(reduced)
	}
	if text == "." || text == ".." {
		return strings.Repeat("_", len(text))
	}
	return text
}

func segmentByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

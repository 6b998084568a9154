package exporterbase

import (
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/record"
)

// Form is what waits in an exporter's queue and how it is stored: keys of partitions and items, one for each record.
type Form[P comparable, I any] struct {
	// Version is the first byte of the stored form. A change of Keys or Items needs another one. It is not 0 or 10, with which
	// the stored form of exporterhelper's own requests may begin.
	Version byte
	Keys    KeyForm[P]
	Items   ItemForm[I]
}

// KeyForm is how the key of a partition is kept and stored.
type KeyForm[P any] struct {
	Append func(dst []byte, key P) []byte
	Read   func(*Reader) P
	// Clone returns a key that keeps no text of the incoming batch alive.
	Clone func(P) P
}

// ItemForm is how what waits of a record is measured and stored.
type ItemForm[I any] struct {
	// Bytes is about what an item takes in memory.
	Bytes  func(I) int
	Append func(dst []byte, item I) []byte
	Read   func(*Reader) I
}

// Texts are keys that are texts.
var Texts = KeyForm[string]{
	Append: AppendText,
	Read:   (*Reader).Text,
	Clone:  strings.Clone,
}

// bodyOverhead is what a body takes beside its bytes, so that a queue_size in bytes is near the truth.
const bodyOverhead = 64

// Bodies are items that hold nothing but the body of a record.
var Bodies = ItemForm[string]{
	Bytes:  func(body string) int { return len(body) + bodyOverhead },
	Append: AppendText,
	Read:   (*Reader).Text,
}

// factsOverhead is what a whole record takes beside its body: 200 bytes of the struct and some for its texts.
const factsOverhead = 320

// Records are items that hold all that is known of a record.
var Records = ItemForm[record.Record]{
	Bytes:  func(rec record.Record) int { return len(rec.Body) + factsOverhead },
	Append: appendRecord,
	Read:   readRecord,
}

func appendRecord(dst []byte, rec record.Record) []byte {
	dst = AppendText(dst, rec.Body)
	dst = appendTime(dst, rec.Time)
	dst = appendTime(dst, rec.Received)
	dst = append(dst, byte(rec.Severity))
	for _, text := range [...]string{rec.EventType, rec.AccountID, rec.TenantID, rec.Format, rec.ID, rec.Error} {
		dst = AppendText(dst, text)
	}
	return dst
}

func readRecord(r *Reader) (rec record.Record) {
	rec.Body = r.Text()
	rec.Time, rec.Received = readTime(r), readTime(r)
	rec.Severity = record.Severity(r.byte())
	for _, text := range [...]*string{&rec.EventType, &rec.AccountID, &rec.TenantID, &rec.Format, &rec.ID, &rec.Error} {
		*text = r.Text()
	}
	return rec
}

// appendTime stores a time to the nanosecond; the zero time is no nanoseconds since 1970, which no record has as its time.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return AppendVarint(dst, 0)
	}
	return AppendVarint(dst, t.UnixNano())
}

func readTime(r *Reader) time.Time {
	ns := r.Varint()
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

package format

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// maxInvalidRaw is how much of a record an invalid body keeps, in bytes. It is far above what a record may have; a
// longer one is an attack or a file without line ends, and an object of 16 MiB is as much as one of those should cost.
const maxInvalidRaw = 16 << 20

// NewInvalid returns the record of event type invalid for a raw input in a format (or Auto) that is wrong for a reason.
func NewInvalid(raw, format, reason string, received time.Time) record.Record {
	body := AppendInvalid(nil, raw, format, reason, received)
	return record.Record{
		Body:      string(body),
		Received:  received,
		EventType: record.Invalid,
		Format:    format,
		ID:        contentID(string(body), "received_at"),
		Error:     reason,
	}
}

// AppendInvalid appends the body of an invalid record to dst: {"error","format","received_at","raw"}. Input that is not
// UTF-8 stands under raw_base64 instead of raw; of input over 16 MiB the beginning is kept, with raw_bytes telling how
// long it was.
func AppendInvalid(dst []byte, raw, format, reason string, received time.Time) []byte {
	total := len(raw)
	if total > maxInvalidRaw {
		end := maxInvalidRaw
		for end > maxInvalidRaw-utf8.UTFMax && !utf8.RuneStart(raw[end]) {
			end--
		}
		raw = raw[:end]
	}
	dst = append(dst, `{"error":`...)
	dst = jsonscan.AppendQuoted(dst, reason)
	dst = append(dst, `,"format":`...)
	dst = jsonscan.AppendQuoted(dst, format)
	dst = append(dst, `,"received_at":"`...)
	dst = received.UTC().AppendFormat(dst, time.RFC3339Nano)
	if utf8.ValidString(raw) {
		dst = append(dst, `","raw":`...)
		dst = jsonscan.AppendQuoted(dst, raw)
	} else {
		dst = append(dst, `","raw_base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, []byte(raw))
		dst = append(dst, '"')
	}
	if total > len(raw) {
		dst = append(dst, `,"raw_truncated":true,"raw_bytes":`...)
		dst = strconv.AppendInt(dst, int64(total), 10)
	}
	return append(dst, '}')
}

// IsInvalidBody reports whether text has the shape that AppendInvalid makes.
func IsInvalidBody(text string) bool {
	var scratch [8]jsonscan.Member
	members, compact, err := jsonscan.Members(scratch[:0], text)
	if err != nil || !compact || len(members) < 4 {
		return false
	}
	return members[0].Name == "error" && members[1].Name == "format" && members[2].Name == "received_at" &&
		(members[3].Name == "raw" || members[3].Name == "raw_base64")
}

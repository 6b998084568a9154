package pipe

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/siempipe/siempipe/internal/deliver/syslog"
	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/pairs"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// maxWhole has a name for where pairs are a variable.
const maxWhole = pairs.MaxWhole

// chooser makes choices of the fuzzer's bytes; when they are used up it chooses zero.
type chooser struct{ data []byte }

func (c *chooser) next(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	v := int(c.data[0]) % n
	c.data = c.data[1:]
	return v
}

func (c *chooser) text() string {
	n := min(c.next(256)*c.next(20), len(c.data))
	s := string(c.data[:n])
	c.data = c.data[n:]
	return s
}

// anyRecord makes a record of any kind with any values, and the pairs that its message must have.
func anyRecord(c *chooser) (rec *record.Record, pairs []Pair) {
	table := &Tables[c.next(len(Tables))]
	rec = &record.Record{EventType: table.Name}
	switch table.Name {
	case findings.Name:
		rec.EventType = []string{record.SecurityFinding, record.AttackPath, record.Other}[c.next(3)]
	case logRecords.Name:
		rec.EventType = "AWS.CloudTrail"
	case otherScan.Name:
		rec.EventType, rec.Format = record.Other, "perception_point"
	}
	body := []byte{'{'}
	for _, row := range table.Rows {
		from, _, _ := strings.Cut(row.From, "|")
		if from[0] == '@' || c.next(4) == 0 {
			continue
		}
		value := c.text()
		if row.Class >= encode.Code {
			value = value[:min(len(value), maxWhole/len(`\u0000`))] // what a code of the vendor's can be at most, escaped
		}
		outer, inner, nested := strings.Cut(from, ".")
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = append(jsonscan.AppendQuoted(body, outer), ':')
		if nested {
			body = append(body, '{')
			body = append(jsonscan.AppendQuoted(body, inner), ':')
		}
		body = jsonscan.AppendQuoted(body, value)
		if nested {
			body = append(body, '}')
		}
	}
	rec.Body = string(append(body, '}'))
	rec.ID = "id"
	rec.Time = time.Unix(int64(c.next(256))*1e6, int64(c.next(10))*1e8).UTC()
	rec.Received = rec.Time

	// What the message must hold, by encoding/json and the table.
	var members map[string]any
	if err := json.Unmarshal([]byte(rec.Body), &members); err != nil {
		panic(err)
	}
	facts := map[string]string{
		"@time": epoch(rec.Time), "@received": epoch(rec.Received), "@event_type": rec.EventType, "@id": rec.ID, "@format": rec.Format,
	}
	for _, row := range table.Rows {
		for from := range strings.SplitSeq(row.From, "|") {
			value, found := members[from]
			if outer, inner, nested := strings.Cut(from, "."); nested {
				if object, ok := members[outer].(map[string]any); ok {
					value, found = object[inner]
				}
			}
			if text := facts[from]; !found && text != "" {
				value, found = text, true
			}
			if found {
				pairs = append(pairs, Pair{row.Key, value.(string)})
				break
			}
		}
	}
	return rec, pairs
}

func epoch(t time.Time) string {
	return strings.TrimSuffix(fmt.Sprintf("%d.%d", t.Unix(), t.Nanosecond()/1e8), ".0")
}

// classIn is the class of a key for the record's table.
func classIn(rec *record.Record, key string) encode.Class {
	return Tables[tableOf(rec)].Row(key).Class
}

// frames splits a stream as a receiver does.
func frames(t *testing.T, stream, framing string) (messages []string) {
	if framing == syslog.Newline {
		return strings.Split(strings.TrimSuffix(stream, "\n"), "\n")
	}
	for stream != "" {
		count, rest, _ := strings.Cut(stream, " ")
		n, err := strconv.Atoi(count)
		if err != nil || n > len(rest) {
			t.Fatalf("no frame: %.40q", stream)
		}
		messages, stream = append(messages, rest[:n]), rest[n:]
	}
	return messages
}

// FuzzStream: records of every kind, in both framings and with a header, come back out of the stream as the same messages with
// the same pairs, whole, shortened or put together from their parts; and none is longer than the limit.
func FuzzStream(f *testing.F) {
	for i := range byte(len(Tables)) {
		f.Add([]byte{i, 200, 10, 'x', '|', 'V', 'e', 'r', 'd', 'i', 'c', 't', ':', 'C', 'L', 'N'}, 400)
		f.Add(append([]byte{i, 255, 19}, strings.Repeat("\r\n<14>\x00|\\\xc2\x85\xe2\x80\xae\xff:é😀 10 <14>1 - ", 150)...), 1024)
	}
	f.Fuzz(checkStream)
}

// TestStreamProperties is FuzzStream over random records.
func TestStreamProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 1500 {
		data := make([]byte, r.IntN(6000))
		for i := range data {
			if data[i] = byte(r.IntN(256)); i > 0 && r.IntN(3) == 0 {
				i += copy(data[i:], randomText(r, 20))
			}
		}
		checkStream(t, data, 700+r.IntN(1500))
	}
}

func checkStream(t *testing.T, data []byte, limit int) {
	header, err := syslog.NewHeader(syslog.HeaderConfig{Format: syslog.RFC5424, Facility: 16, AppName: "siempipe", Hostname: "h"})
	if err != nil {
		t.Fatal(err)
	}
	if limit < 700 || limit > 1<<16 {
		limit = 1024
	}
	c := &chooser{data}
	for _, overflow := range []string{encode.OverflowShorten, encode.OverflowSplit} {
		e := newEncoder(t, encode.Config{Overflow: overflow})
		for _, framing := range []string{syslog.Newline, syslog.OctetCounting} {
			var stream []byte
			var want [][]Pair
			var records []*record.Record
			var results []encode.Result
			for range 3 {
				rec, pairs := anyRecord(c)
				if len(pairs) == 0 {
					continue
				}
				start := header.Append(nil, rec.Time, syslog.Warning)
				text, ends, result, err := e.Append(nil, nil, rec, jsonscan.Known{}, limit-len(start))
				if err != nil {
					t.Fatalf("%v: %s", err, rec.Body)
				}
				from := 0
				for _, end := range ends {
					stream = syslog.AppendFrame(stream, append(slices.Clone(start), text[from:end]...), framing)
					from = end
					want, records, results = append(want, pairs), append(records, rec), append(results, result)
				}
			}
			if len(want) == 0 {
				return
			}
			messages := frames(t, string(stream), framing)
			if len(messages) != len(want) {
				t.Fatalf("%d messages became %d", len(want), len(messages))
			}
			var parts []Pair
			for i, m := range messages {
				if len(m) > limit {
					t.Fatalf("%d bytes of %d", len(m), limit)
				}
				checkSafe(t, m)
				parsed, err := rfc5424.NewParser().Parse([]byte(m))
				if err != nil {
					t.Fatalf("%v: %q", err, m)
				}
				got := independent(*parsed.(*rfc5424.SyslogMessage).Message)
				switch results[i] {
				case encode.Whole:
					if !slices.Equal(got, want[i]) {
						t.Fatalf("%q\nwant\n%q", got, want[i])
					}
				case encode.Shortened:
					checkBeginnings(t, records[i], got, want[i])
				case encode.Split:
					parts = joinParts(parts, got, records[i])
					if last := i+1 == len(messages) || records[i+1] != records[i]; last {
						checkSame(t, parts, want[i])
						parts = nil
					}
				}
			}
		}
	}
}

// checkBeginnings: codes and ids whole, every other value whole, a beginning with an ellipsis, or left out.
func checkBeginnings(t *testing.T, rec *record.Record, got, want []Pair) {
	t.Helper()
	i := 0
	for _, p := range want {
		here := i < len(got) && got[i].Key == p.Key
		start, cut := "", false
		if here {
			start, cut = strings.CutSuffix(got[i].Value, "…")
		}
		switch class := classIn(rec, p.Key); {
		case here && got[i].Value == p.Value:
		case class >= encode.Code:
			t.Fatalf("%s of %q is not whole: %q", p.Key, p.Value, got)
		case here && !(cut && strings.HasPrefix(p.Value, start)):
			t.Fatalf("%s is %q, of %q", p.Key, got[i].Value, p.Value)
		}
		if here {
			i++
		}
	}
	if i != len(got) {
		t.Fatalf("pairs that are not the record's: %q", got[i:])
	}
}

// joinParts adds a part to what the parts before it gave.
func joinParts(whole, part []Pair, rec *record.Record) []Pair {
	first := len(whole) == 0
	for _, p := range part {
		if p.Key == KeyPart || !first && classIn(rec, p.Key) == encode.Identity {
			continue
		}
		if i := slices.IndexFunc(whole, func(q Pair) bool { return q.Key == p.Key }); i >= 0 {
			whole[i].Value += p.Value
			continue
		}
		whole = append(whole, p)
	}
	return whole
}

// checkSame compares pairs whose ids stand first in a split message.
func checkSame(t *testing.T, got, want []Pair) {
	t.Helper()
	byKey := func(a, b Pair) int { return strings.Compare(a.Key, b.Key) }
	got, want = slices.Clone(got), slices.Clone(want)
	slices.SortFunc(got, byKey)
	slices.SortFunc(want, byKey)
	if !slices.Equal(got, want) {
		t.Fatalf("put together\n%q\nwant\n%q", got, want)
	}
}

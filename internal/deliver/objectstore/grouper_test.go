package objectstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/siempipe/siempipe/internal/record"
)

func TestGrouper(t *testing.T) {
	day := time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC)
	var g Grouper
	for range 2 { // the second time in the buffers of the first
		g.Reset()
		for i := range 6 {
			g.Add(&record.Record{Body: fmt.Sprint(i), EventType: record.Other, AccountID: fmt.Sprint(i % 2), Time: day.Add(time.Duration(i/4) * time.Second)}, "", time.Time{})
		}
		g.Add(&record.Record{Body: "6", EventType: record.Other, Received: day}, "", time.Time{})
		g.Add(&record.Record{Body: "7", EventType: record.Other, Time: time.Date(1969, 12, 31, 1, 0, 0, 0, time.UTC)}, "", time.Time{})
		g.Add(&record.Record{Body: "8", EventType: record.Other, AccountID: "0", Time: day}, "forced", day.AddDate(0, 0, 2))
		g.Add(&record.Record{Body: "9"}, "", time.Time{})
		var got []string
		for _, p := range g.Parts() {
			got = append(got, fmt.Sprintf("%s/%s/%s %d %s", p.EventType, p.Day, p.Account, p.Records, strings.ReplaceAll(string(p.Lines), "\n", ",")))
		}
		assert.Equal(t, []string{
			"other/2026-02-28/0 2 0,2,", "other/2026-02-28/1 2 1,3,", "other/2026-03-01/0 1 4,", "other/2026-03-01/1 1 5,",
			"other/2026-02-28/ 1 6,", "other/1969-12-31/ 1 7,", "forced/2026-03-02/0 1 8,", "// 1 9,",
		}, got)
		assert.Equal(t, day, g.Parts()[0].First)
	}
}

// TestGrouperIsPartitionOf: the cached day is the day.
func TestGrouperIsPartitionOf(t *testing.T) {
	var g Grouper
	for hours := -200_000; hours < 200_000; hours += 11 {
		rec := record.Record{Time: time.Unix(int64(hours)*3600-1, 5), EventType: record.Other}
		g.Reset()
		g.Add(&rec, "", time.Time{})
		assert.Equal(t, new(Days).PartitionOf(&rec, time.Time{}), g.Parts()[0].Partition, rec.Time)
		day := ""
		if t := rec.EventTime(); !t.IsZero() {
			day = t.UTC().Format(time.DateOnly)
		}
		assert.Equal(t, day, g.Parts()[0].Day)
	}
}

func TestGrouperKeepsNothingOfARecord(t *testing.T) {
	var g Grouper
	g.Add(&record.Record{Body: "{}", EventType: record.Other, AccountID: "a", Time: time.Unix(0, 0)}, "", time.Time{})
	rec := record.Record{Body: "{}", EventType: record.Other, AccountID: "a", Time: time.Unix(0, 0)}
	assert.Zero(t, testing.AllocsPerRun(1000, func() { g.Add(&rec, "", time.Time{}) })/1000)
}

func BenchmarkGrouper(b *testing.B) {
	body := `{"alert_id":"f-1","description":"` + strings.Repeat("x", 1100) + `"}`
	recs := make([]record.Record, 1000)
	for i := range recs {
		recs[i] = record.Record{Body: body, EventType: record.SecurityFinding, AccountID: fmt.Sprint(i % 50), Time: time.Unix(1700000000, 0)}
	}
	var g Grouper
	b.SetBytes(int64(len(recs) * len(body)))
	b.ReportAllocs()
	for b.Loop() {
		g.Reset()
		for i := range recs {
			g.Add(&recs[i], "", time.Time{})
		}
		if len(g.Parts()) != 50 {
			b.Fatal(len(g.Parts()))
		}
	}
}

// TestAppendLines: the same lines as one by one, whatever bodies hold.
func TestAppendLines(t *testing.T) {
	for _, bodies := range [][]string{nil, {""}, {`{"a":1}`, `{"b":2}`}, {`{"a":1}`, "{\n\"b\": 2}", "text\nof lines"}, {"\n", "\n\n"}} {
		want := []byte("before\n")
		for _, body := range bodies {
			want = AppendLine(want, body)
		}
		got := AppendLines([]byte("before\n"), bodies)
		assert.Equal(t, string(want), string(got))
		assert.Equal(t, len(bodies)+1, strings.Count(string(got), "\n"), "a record is a line")
	}
}

package process

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
)

func parser(t *testing.T) *format.Parser {
	t.Helper()
	p, err := format.NewParser(format.Options{})
	require.NoError(t, err)
	return p
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, raw, format, eventType string
		header, file                 bool
	}{
		{"a record", `{"alert_id":"f-1"}`, "", record.Other, false, false},
		{"no record", `words`, "", record.Invalid, false, false},
		{"a header", format.DefaultFlowFields + "\n", "aws.vpc_flow", record.Invalid, true, false},
		{"a header of another format", format.DefaultFlowFields, "panoptica", record.Invalid, false, false},
		{"lines under a header", format.DefaultFlowFields + "\r\n2 1 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 1 1 2 ACCEPT OK", "aws.vpc_flow", record.Invalid, false, true},
		{"an envelope", `{"findings":[]}`, "", record.Invalid, false, true},
	} {
		var rec record.Record
		header, file := Parse(parser(t), c.raw, format.Context{Format: c.format, Received: time.Unix(1, 0)}, &rec)
		assert.Equal(t, c.header, header, c.name)
		assert.Equal(t, c.file, file, c.name)
		assert.Equal(t, c.eventType, rec.EventType, c.name)
	}
}

func TestApart(t *testing.T) {
	const line = "2 123456789010 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 1 1566848875 1566848933 ACCEPT OK"
	for _, c := range []struct {
		name, raw, format string
		file              bool
		want              []string // event types, and IDs of findings
	}{
		{"an envelope", `{"findings":[{"alert_id":"f-1"},7,{"alert_id":"f-2"}]}`, "", true, []string{"other f-1", "invalid", "other f-2"}},
		{"an empty one", `{"findings":[]}`, "", true, nil},
		{"it only begins like one", `{"status":"open"}`, "", false, nil},
		{"lines under a header", format.DefaultFlowFields + "\n" + line + "\r\n" + line + "\n", "aws.vpc_flow", true, []string{"AWS.VPCFlow", "AWS.VPCFlow"}},
		{"one line under a header", format.DefaultFlowFields + "\n" + line, "aws.vpc_flow", true, []string{"AWS.VPCFlow"}},
	} {
		var got []string
		n, file := Apart(parser(t), c.raw, format.Context{Format: c.format}, "", nil, func(_ *payload.Item, rec *record.Record) {
			what := rec.EventType
			if what == record.Other {
				what += " " + rec.ID
			}
			got = append(got, what)
		})
		assert.Equal(t, c.file, file, c.name)
		assert.Equal(t, c.want, got, c.name)
		assert.Equal(t, len(c.want), n, c.name)
	}
}

// TestApartSaysWhere: two equal records of one file are told apart by where they stand.
func TestApartSaysWhere(t *testing.T) {
	const raw = `{"Records":[{"eventVersion":"1.05","eventID":"a"},{"eventVersion":"1.05","eventID":"b"}]}`
	var offsets []int64
	n, file := Apart(parser(t), raw, format.Context{Format: "aws.cloudtrail"}, "", func(offset int64) string {
		offsets = append(offsets, offset)
		return "here"
	}, func(*payload.Item, *record.Record) {})
	assert.True(t, file)
	assert.Equal(t, 2, n)
	assert.Equal(t, []int64{12, 50}, offsets)
}

// TestApartTellsScans: the records of a scan envelope come with its id, and its end comes without a record.
func TestApartTellsScans(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"whole", `{"scan_id":"s-1","status":"running","findings":[{"alert_id":"f-1"}]}`, "f-1 s-1 running; end s-1 running; "},
		{"status at the end", `{"scan_id":"s-1","findings":[{"alert_id":"f-1"}],"status":"completed"}`, "f-1 s-1 ; end s-1 completed; "},
		{"no findings", `{"scan_id":"s-1","findings":[]}`, "end s-1 ; "},
		{"torn", `{"scan_id":"s-1","status":"completed","findings":[{"alert_id":"f-1"},`, "f-1 s-1 completed; end s-1 incomplete; "},
		{"two", `{"scan_id":"s-1","findings":[{"alert_id":"f-1"}]}{"scan_id":"s-2","findings":[{"alert_id":"f-2"}]}`, "f-1 s-1 ; end s-1 ; f-2 s-2 ; end s-2 ; "},
		{"no scan", `{"findings":[{"alert_id":"f-1"}]}`, "f-1  ; "},
	} {
		got := ""
		_, file := Apart(parser(t), c.raw, format.Context{}, "", nil, func(item *payload.Item, rec *record.Record) {
			id := "end"
			if rec != nil {
				id = rec.ID
			}
			got += id + " " + item.ScanID + " " + item.ScanStatus + "; "
		})
		assert.True(t, file, c.name)
		assert.Equal(t, c.want, got, c.name)
	}
}

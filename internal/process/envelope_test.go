package process

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
)

// TestKindsOfTexts: a text is a record, a header line, a file or no record.
func TestKindsOfTexts(t *testing.T) {
	for _, c := range []struct{ name, raw, format, want string }{
		{"a record", `{"alert_id":"f-1"}`, "", "other f-1"},
		{"no record", `words`, "", "invalid"},
		{"a header", format.DefaultFlowFields + "\n", "aws.vpc_flow", "dropped: header"},
		{"a header of another format", format.DefaultFlowFields, "panoptica", "invalid"},
		{"lines under a header", format.DefaultFlowFields + "\r\n2 1 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 1 1 2 ACCEPT OK", "aws.vpc_flow", "part AWS.VPCFlow"},
		{"an envelope", `{"findings":[]}`, "", "dropped: empty"},
	} {
		p := newProcessor(t, Options{})
		assert.Equal(t, []string{c.want}, outcomes(p, Text{Raw: c.raw, Context: format.Context{Format: c.format}}), c.name)
	}
}

func TestFiles(t *testing.T) {
	const line = "2 123456789010 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 1 1566848875 1566848933 ACCEPT OK"
	for _, c := range []struct {
		name, raw, format string
		want              []string
	}{
		{"an envelope", `{"findings":[{"alert_id":"f-1"},7,{"alert_id":"f-2"}]}`, "", []string{"part other f-1", "part invalid", "part other f-2"}},
		{"an empty one", `{"findings":[]}`, "", []string{"dropped: empty"}},
		{"it only begins like one", `{"status":"open"}`, "", []string{"invalid"}},
		{"lines under a header", format.DefaultFlowFields + "\n" + line + "\r\n" + line + "\n", "aws.vpc_flow", []string{"part AWS.VPCFlow", "part AWS.VPCFlow"}},
		{"one line under a header", format.DefaultFlowFields + "\n" + line, "aws.vpc_flow", []string{"part AWS.VPCFlow"}},
	} {
		p := newProcessor(t, Options{})
		assert.Equal(t, c.want, outcomes(p, Text{Raw: c.raw, Context: format.Context{Format: c.format}}), c.name)
	}
}

// TestOrigins: two equal records of one file differ by where they are in it.
func TestOrigins(t *testing.T) {
	const raw = `{"Records":[{"eventVersion":"1.05","eventID":"a"},{"eventVersion":"1.05","eventID":"b"}]}`
	assert.Equal(t, "s3://b/k#12", Origin("s3://b/k", 12))
	rowIDs := func(raw, origin string) (ids []string) {
		p := newProcessor(t, Options{})
		p.Start(&Text{Raw: raw, Context: format.Context{Format: "aws.cloudtrail", Origin: origin}})
		for out := p.Next(); out != nil; out = p.Next() {
			ids = append(ids, out.Record.ID)
		}
		return ids
	}
	parts := rowIDs(raw, "here")
	assert.Len(t, parts, 2)
	assert.Equal(t, rowIDs(raw[12:49], "here#12"), parts[:1])
	assert.Equal(t, rowIDs(raw[50:len(raw)-2], "here#50"), parts[1:])
}

// TestScanEnvelopes: the records of a scan envelope come with its id, and its end is an event where events pass.
func TestScanEnvelopes(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"whole", `{"scan_id":"s-1","status":"running","findings":[{"alert_id":"f-1"}]}`, "f-1 s-1 running; end s-1 running; "},
		{"status at the end", `{"scan_id":"s-1","findings":[{"alert_id":"f-1"}],"status":"completed"}`, "f-1 s-1 ; end s-1 completed; "},
		{"no findings", `{"scan_id":"s-1","findings":[]}`, "end s-1 ; "},
		{"torn", `{"scan_id":"s-1","status":"completed","findings":[{"alert_id":"f-1"},`, "f-1 s-1 completed; end s-1 incomplete; "},
		{"two", `{"scan_id":"s-1","findings":[{"alert_id":"f-1"}]}{"scan_id":"s-2","findings":[{"alert_id":"f-2"}]}`, "f-1 s-1 ; end s-1 ; f-2 s-2 ; end s-2 ; "},
		{"no scan", `{"findings":[{"alert_id":"f-1"}]}`, "f-1  ; "},
	} {
		p := newProcessor(t, Options{PassScanEvents: true})
		got := ""
		p.Start(&Text{Raw: c.raw})
		for out := p.Next(); out != nil; out = p.Next() {
			assert.Equal(t, Part, out.Kind, c.name)
			id := "end"
			if !out.IsScanEvent() {
				id = out.Record.ID
			}
			got += id + " " + out.ScanID + " " + out.ScanStatus + "; "
		}
		assert.Equal(t, c.want, got, c.name)
	}
	assert.Equal(t, []string{"part other f-1"}, outcomes(newProcessor(t, Options{}), Text{Raw: `{"scan_id":"s-1","findings":[{"alert_id":"f-1"}]}`}))
}

// TestScanEvents: marks are believed where the text is an event, and unmarked events only where events pass.
func TestScanEvents(t *testing.T) {
	const event = `{"scan_id":"s-1","status":"failed"}`
	for _, c := range []struct {
		pass, marked bool
		raw, want    string
	}{
		{false, true, event, "dropped: scan_event"},
		{true, true, event, "scan"},
		{true, false, event, "scan"},
		{false, false, event, "invalid"},
		{true, true, `{"scan_id":`, "invalid"},
		{false, true, `{"alert_id":"f-1","scan_id":"s-1"}`, "other f-1"},
	} {
		p := newProcessor(t, Options{PassScanEvents: c.pass, DropInvalid: false})
		assert.Equal(t, []string{c.want}, outcomes(p, Text{Raw: c.raw, ScanEvent: c.marked}), c)
	}
	p := newProcessor(t, Options{PassScanEvents: true})
	p.Start(&Text{Raw: event})
	out := p.Next()
	assert.Equal(t, []string{"s-1", "failed", event, record.Scan}, []string{out.ScanID, out.ScanStatus, out.Record.Body, out.Record.EventType})
}

package intake

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/source"
)

func parser(t *testing.T) *source.Parser {
	t.Helper()
	p, err := source.NewParser(source.Options{})
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
		{"a header", source.DefaultFlowFields + "\n", "aws.vpc_flow", record.Invalid, true, false},
		{"a header of another format", source.DefaultFlowFields, "panoptica", record.Invalid, false, false},
		{"lines under a header", source.DefaultFlowFields + "\r\n2 1 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 1 1 2 ACCEPT OK", "aws.vpc_flow", record.Invalid, false, true},
		{"an envelope", `{"findings":[]}`, "", record.Invalid, false, true},
	} {
		var rec record.Record
		header, file := Parse(parser(t), c.raw, source.Context{Format: c.format, Received: time.Unix(1, 0)}, &rec)
		assert.Equal(t, c.header, header, c.name)
		assert.Equal(t, c.file, file, c.name)
		assert.Equal(t, c.eventType, rec.EventType, c.name)
	}
}

func TestApart(t *testing.T) {
	var got []string
	take := func(rec *record.Record, _ int64) { got = append(got, rec.EventType+" "+rec.ID) }
	assert.True(t, Apart(parser(t), `{"findings":[{"alert_id":"f-1"},7,{"alert_id":"f-2"}]}`, source.Context{}, take))
	require.Len(t, got, 3)
	assert.Equal(t, "other f-1", got[0])
	assert.Contains(t, got[1], "invalid ")
	assert.Equal(t, "other f-2", got[2])

	got = nil
	line := "2 123456789010 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 1 1566848875 1566848933 ACCEPT OK"
	assert.True(t, Apart(parser(t), source.DefaultFlowFields+"\n"+line+"\n"+line, source.Context{Format: "aws.vpc_flow"}, take))
	require.Len(t, got, 2)
	assert.Contains(t, got[0], "AWS.VPCFlow ")
	got = nil
	assert.True(t, Apart(parser(t), source.DefaultFlowFields+"\n"+line, source.Context{Format: "aws.vpc_flow"}, take), "one line")
	require.Len(t, got, 1)

	got = nil
	assert.False(t, Apart(parser(t), `{"status":"open"}`, source.Context{}, take), "it only begins like one")
	assert.Empty(t, got)
}

package format_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
)

// TestWholeFiles: the records of a vendor's file, cut as a receiver cuts it, are those that come one by one, whether the
// receiver knows the format or not.
func TestWholeFiles(t *testing.T) {
	p, err := format.NewParser(format.Options{})
	require.NoError(t, err)
	single := map[string][]string{} // of each format, valid and not
	for _, c := range corpus(t) {
		f, _ := format.Lookup(c.format)
		raw := strings.TrimSpace(c.raw)
		if f.IsLog() && c.fields == "" && !strings.Contains(raw, "\n") && !strings.Contains(c.path, "broken") {
			single[c.format] = append(single[c.format], raw)
		}
	}
	messages := func(raws []string) string {
		var events []map[string]any
		for _, raw := range raws {
			events = append(events, map[string]any{"id": "1", "timestamp": 1, "message": raw})
		}
		text, err := json.Marshal(map[string]any{"logEvents": events})
		require.NoError(t, err)
		return `{"messageType":"DATA_MESSAGE","owner":"111122223333",` + string(text[1:])
	}
	files := map[string]func(raws []string) string{
		"lines":           func(raws []string) string { return strings.Join(raws, "\n") + "\n" },
		"CRLF":            func(raws []string) string { return strings.Join(raws, "\r\n") },
		"CloudWatch Logs": messages,
	}
	envelopes := map[string]func(raws []string) string{
		"array":   func(raws []string) string { return "[" + strings.Join(raws, ",\n") + "]" },
		"Records": func(raws []string) string { return `{"Records":[` + strings.Join(raws, ",") + `]}` },
		"records": func(raws []string) string { return `{"records": [` + strings.Join(raws, " , ") + ` ] }` },
		"entries": func(raws []string) string {
			return `{"entries":[` + strings.Join(raws, ",") + `],"nextPageToken":"x"}`
		},
	}
	for formatName, raws := range single {
		shapes := files
		if strings.HasPrefix(raws[0], "{") {
			shapes = map[string]func([]string) string{}
			for name, shape := range files {
				shapes[name] = shape
			}
			for name, shape := range envelopes {
				shapes[name] = shape
			}
		}
		for name, shape := range shapes {
			for _, as := range []string{formatName, ""} {
				t.Run(formatName+"/"+name+"/"+as, func(t *testing.T) {
					if name == "CloudWatch Logs" {
						raws = validUTF8(raws)
					}
					var got []record.Record
					err := payload.Cut(strings.NewReader(shape(raws)), payload.Options{Format: as}, func(item payload.Item) error {
						require.NoError(t, item.Err)
						var rec record.Record
						p.ParseIn(item.Raw, format.Context{Format: as, Fields: item.Fields, Received: received}, &rec)
						got = append(got, rec)
						return nil
					})
					require.NoError(t, err)
					require.Equal(t, len(raws), len(got))
					for i, raw := range raws {
						var want record.Record
						p.ParseIn(raw, format.Context{Format: as, Received: received}, &want)
						assert.Equal(t, want, got[i])
					}
				})
			}
		}
	}
}

// validUTF8 are those that JSON can hold.
func validUTF8(raws []string) (valid []string) {
	for _, raw := range raws {
		if strings.ToValidUTF8(raw, "") == raw {
			valid = append(valid, raw)
		}
	}
	return valid
}

// TestFlowFiles: each line of a file stands under its header; behind the next file's header under that one.
func TestFlowFiles(t *testing.T) {
	p, err := format.NewParser(format.Options{})
	require.NoError(t, err)
	var file strings.Builder
	var want []record.Record
	for _, c := range corpus(t) {
		if c.format != "aws.vpc_flow" {
			continue
		}
		if c.fields == "" {
			c.fields = format.DefaultFlowFields
		}
		var rec record.Record
		p.ParseIn(c.raw, format.Context{Format: c.format, Fields: c.fields, Received: received}, &rec)
		want = append(want, rec)
		file.WriteString(c.fields + "\n" + strings.TrimSpace(c.raw) + "\n")
	}
	var got []record.Record
	require.NoError(t, payload.Cut(strings.NewReader(file.String()), payload.Options{Format: "aws.vpc_flow"}, func(item payload.Item) error {
		var rec record.Record
		p.ParseIn(item.Raw, format.Context{Format: "aws.vpc_flow", Fields: item.Fields, Received: received}, &rec)
		got = append(got, rec)
		return nil
	}))
	require.Equal(t, len(want), len(got))
	for i := range want {
		if want[i].EventType == record.Invalid { // holds the line with its blanks
			assert.Equal(t, want[i].Error, got[i].Error)
			continue
		}
		assert.Equal(t, want[i], got[i])
	}
}

// TestRowIDs: the same again on replay, of each place in a file its own, and of equal lines from nowhere the same.
func TestRowIDs(t *testing.T) {
	p, err := format.NewParser(format.Options{})
	require.NoError(t, err)
	const line = `2 123456789010 eni-1 10.0.0.1 10.0.0.2 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK`
	id := func(origin string) string {
		var rec record.Record
		p.ParseIn(line, format.Context{Origin: origin, Received: received}, &rec)
		require.Equal(t, "AWS.VPCFlow", rec.EventType)
		require.Len(t, rec.ID, 32)
		return rec.ID
	}
	assert.Equal(t, id(""), id(""))
	assert.Equal(t, id("s3://b/k#0"), id("s3://b/k#0"))
	assert.NotEqual(t, id("s3://b/k#0"), id("s3://b/k#96"))
	assert.NotEqual(t, id("s3://b/k#0"), id(""))
}

func TestSourceFields(t *testing.T) {
	p, err := format.NewParser(format.Options{SourceID: "id-1", SourceLabel: `the "label"`})
	require.NoError(t, err)
	for _, c := range corpus(t) {
		f, _ := format.Lookup(c.format)
		rec := c.parse(p)
		if f.IsLog() && rec.EventType != record.Invalid {
			assert.Contains(t, rec.Body, `,"p_source_id":"id-1","p_source_label":"the \"label\""`, c.name())
			assert.True(t, json.Valid([]byte(rec.Body)), c.name())
		}
	}
}

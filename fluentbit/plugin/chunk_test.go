package plugin

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/fluentbit/msgpackjson"
	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/pipe"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/test/fluentbit"
	"github.com/siempipe/siempipe/internal/test/msgpack"
)

const chunksDir = "../../testdata/fluentbit"

// at is when the events of tests happen.
var at = time.Unix(1700000000, 123456789).UTC()

// read reads a chunk to its end, with texts of its own.
func read(data []byte, recordKey string) (events []event) {
	c := chunk{recordKey: recordKey}
	c.reset(data)
	for e := (event{}); c.next(&e); {
		e.raw, e.format = strings.Clone(e.raw), strings.Clone(e.format)
		events = append(events, e)
	}
	return events
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return b
}

// TestRecordedChunks: the recorded buffers hold what their senders meant.
func TestRecordedChunks(t *testing.T) {
	chunks, err := fluentbit.Chunks(chunksDir)
	require.NoError(t, err)
	for _, c := range chunks {
		var got []fluentbit.Record
		for _, e := range read(c.Data, "") {
			assert.Empty(t, e.broken, c.Name)
			got = append(got, fluentbit.Record{Received: e.time, Raw: e.raw})
		}
		assert.Equal(t, c.Records, got, c.Name)
	}
}

// head is [[EventTime, {}], before a body, in hexadecimal.
const head = "92 92 d700 6553f100 075bcd15 80 "

func TestEvents(t *testing.T) {
	raw := func(text string) event { return event{raw: text, time: at} }
	whole := time.Unix(1700000000, 0).UTC()
	for _, c := range []struct {
		name, in, key string
		want          event
	}{
		{"the older event format", "92 d700 6553f100 075bcd15 81 a161 01", "", raw(`{"a":1}`)},
		{"integer time", "92 ce6553f100 81 a161 01", "", event{raw: `{"a":1}`, time: whole}},
		{"integer time in the newer format", "92 92 ce6553f100 80 81 a161 01", "", event{raw: `{"a":1}`, time: whole}},
		{"float time", "92 cb41d954fc40100000 81 a161 01", "", event{raw: `{"a":1}`, time: whole.Add(250 * time.Millisecond)}},
		{"no time", "92 00 81 a161 01", "", event{raw: `{"a":1}`}},
		{"EventTime of zero", "92 d700 00000000 00000000 81 a161 01", "", event{raw: `{"a":1}`}},
		{"a time before 1970", "92 ff 81 a161 01", "", event{raw: `{"a":1}`}},
		{"a time that is none", "92 cb7ff8000000000000 81 a161 01", "", event{raw: `{"a":1}`}},
		{"a time after 2261", "92 cf00ffffffffffffff 81 a161 01", "", event{raw: `{"a":1}`}},
		{"empty body", head + "80", "", raw(`{}`)},
		{"a line under log", head + "81 a36c6f67 a26869", "", raw("hi")},
		{"a line under log with others", head + "82 a161 01 a36c6f67 a26869", "", raw("hi")},
		{"a line under log, in bytes", head + "81 a36c6f67 c402ff00", "", raw("\xff\x00")},
		{"a number under log", head + "81 a36c6f67 01", "", raw(`{"log":1}`)},
		{"the first of two logs", head + "82 a36c6f67 a161 a36c6f67 a162", "", raw("a")},
		{"message alone", head + "81 a76d657373616765 a26869", "", raw("hi")},
		{"message as a field", head + "82 a76d657373616765 a26869 a161 01", "", raw(`{"message":"hi","a":1}`)},
		{"JSON under message", head + "82 a76d657373616765 a4207b7d0a a161 01", "", raw(" {}\n")},
		{"log before message", head + "82 a76d657373616765 a27b7d a36c6f67 a26869", "", raw("hi")},
		{"a pipe line under message", head + "82 a76d657373616765 " + hex.EncodeToString(msgpack.AppendString(nil, pipeLine)) + " a161 01", "", raw(pipeLine)},
		{"record_key", head + "82 a161 01 a16b a26869", "k", raw("hi")},
		{"record_key of an object", head + "82 a161 01 a16b 81 a162 02", "k", raw(`{"b":2}`)},
		{"record_key of a number", head + "82 a161 01 a16b 02", "k", raw(`{"a":1,"k":2}`)},
		{"record_key that is not there", head + "81 a36c6f67 a26869", "k", raw(`{"log":"hi"}`)},
		{"format in the metadata", "92 92 d700 6553f100 075bcd15 81 ab7369656d2e666f726d6174 a97061 6e6f7074696361 81 a161 01", "", event{raw: `{"a":1}`, time: at, format: "panoptica"}},
		{"format among the attributes", "92 92 d700 6553f100 075bcd15 82 a16d 01 a46f746c70 82 a178 90 aa61747472696275746573 81 ab7369656d2e666f726d6174 a166 81 a161 01", "", event{raw: `{"a":1}`, time: at, format: "f"}},
		{"format that is no text", "92 92 d700 6553f100 075bcd15 81 ab7369656d2e666f726d6174 01 81 a161 01", "", raw(`{"a":1}`)},
		{"odd names", head + "82 01 02 c0 03", "", raw(`{"1":2,"null":3}`)},
		{"a value that JSON cannot say", head + "81 a161 cb7ff8000000000000", "", event{time: at, broken: "byte 16: JSON has no number for NaN"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := unhex(t, c.in)
			if c.want.broken != "" {
				c.want.raw = string(in)
			}
			good := msgpack.AppendRaw(nil, at, "log", "neighbour")
			got := read(append(append(bytes.Clone(good), in...), good...), c.key)
			neighbour := event{raw: "neighbour", time: at}
			if c.key != "" {
				neighbour.raw = `{"log":"neighbour"}`
			}
			assert.Equal(t, []event{neighbour, c.want, neighbour}, got)
		})
	}
}

// pipeLine is a line of Perception Point's.
const pipeLine = "datetime:1612422455.63|Scan ID:000176_1_x|Event:Email Scanned|Verdict:SUS"

// TestNoEvents: what is well-formed and no event is kept as one broken record, and what stands behind it is read.
func TestNoEvents(t *testing.T) {
	good := msgpack.AppendRaw(nil, at, "log", "good")
	for _, bad := range []string{
		"01", "c0 c0 c0", "a3616263", "91 01", "93 01 02 80", "92 01 02", "92 a161 80", "92 92 01 80 01", "92 91 01 80", "92 93 01 80 80 80", "80", "92 d70100000000 00000000 80",
	} {
		in := unhex(t, bad)
		got := read(append(append(append(bytes.Clone(good), in...), good...), in...), "")
		assert.Equal(t, []event{
			{raw: "good", time: at}, {raw: string(in), time: at, broken: "no events of Fluent Bit"},
			{raw: "good", time: at}, {raw: string(in), time: at, broken: "no events of Fluent Bit"},
		}, got, bad)
	}
}

// TestCutChunks: of a chunk that is cut anywhere, the good records come out and what is left as one broken one.
func TestCutChunks(t *testing.T) {
	var data []byte
	ends := []int{0}
	for _, line := range []string{"one", `{"alert_id":"f"}`, strings.Repeat("x", 300)} {
		data = msgpack.AppendRaw(data, at, "log", line)
		ends = append(ends, len(data))
	}
	data = msgpack.AppendStructured(data, at, `{"a":[1,{"b":"c"}],"log":1}`)
	ends = append(ends, len(data))
	for cut := range len(data) + 1 {
		whole := 0
		for whole+1 < len(ends) && ends[whole+1] <= cut {
			whole++
		}
		got := read(data[:cut], "")
		if cut == ends[whole] {
			require.Len(t, got, whole, cut)
			continue
		}
		require.Len(t, got, whole+1, cut)
		rest := got[whole]
		assert.Equal(t, string(data[ends[whole]:cut]), rest.raw, cut)
		assert.Contains(t, rest.broken, "the chunk is broken: byte ", cut)
		for _, e := range got[:whole] {
			assert.Empty(t, e.broken)
		}
	}
}

func TestGroupMarkersAreNoRecords(t *testing.T) {
	var data []byte
	for range 2 {
		data = append(data, unhex(t, "92 92 d700 ffffffff 00000000 80 81 a161 01")...)
		data = msgpack.AppendRaw(data, at, "log", "one")
		data = append(data, unhex(t, "92 92 d700 fffffffe 00000000 80 80")...)
	}
	assert.Equal(t, []event{{raw: "one", time: at}, {raw: "one", time: at}}, read(data, ""))
	cut := unhex(t, "92 92 d700 ffffffff 00000000 80 81 a161")
	assert.Len(t, read(cut, ""), 1, "a marker that is cut is broken")
}

// shapes holds the names of each shape that a chunk gave.
type shapes map[jsonscan.Shape][]string

// check holds what a chunk knows of the last event's text to what a scan of it finds.
func (s shapes) check(t *testing.T, c *chunk, e *event) {
	t.Helper()
	o := c.object
	if o.Members == nil {
		return
	}
	want, compact, err := jsonscan.Members(nil, e.raw)
	if err != nil || !compact || !slices.Equal(want, o.Members) || o.Shape == 0 {
		t.Fatalf("%s: shape %d, %+v, want compact %v, %v, %+v", e.raw, o.Shape, o.Members, compact, err, want)
	}
	var names []string
	for i := range want {
		names = append(names, want[i].Name)
	}
	if before, ok := s[o.Shape]; ok && !slices.Equal(before, names) {
		t.Fatalf("%q and %q of one shape", before, names)
	}
	s[o.Shape] = names
}

// TestObject: a structured event's members are known without a scan, but where a scan would say no.
func TestObject(t *testing.T) {
	var data []byte
	for i, body := range []string{
		`{"a":1,"b":"x","c":null,"d":[1,"\"",{"e":true}]}`, `{"a":"\n","b":{"c":[]},"c":"é","d":1.5}`, `{"b":1,"a":2}`, `{"b":1,"a":2}`,
		`{"b":1,"a":2,"b":3}`, `{"\"":1,"é":2}`, `{"\"":1,"é":2}`, `{"message":"x","n":1}`, `{"message":"x","n":1}`, benchRecord, benchRecord,
	} {
		data = msgpack.AppendStructured(data, at.Add(time.Duration(i)), body)
	}
	data = append(data, unhex(t, head+"82 a161 c403 010203 c401 62 d700 6553f100 075bcd15")...) // binary, a name in bytes, a time
	data = append(data, unhex(t, head+"82 01 02 c3 04")...)                                     // a number and a boolean as names
	c := chunk{}
	known := shapes{}
	for range 2 {
		c.reset(data)
		n := 0
		for e := (event{}); c.next(&e); n++ {
			assert.NotNil(t, c.object.Members, e.raw)
			known.check(t, &c, &e)
		}
		assert.Equal(t, 13, n)
	}
	assert.Less(t, len(known), 22, "of some shapes there are several")

	for _, body := range []string{"81 a161 a1ff", "81 a2c328 01", "81 a161 92 01 a2c328", "81 a3 6c6f67 a178", "80",
		"81 a161 " + strings.Repeat("91", jsonscan.MaxDepth) + "01"} {
		c.reset(unhex(t, head+body+head+body))
		for range 2 { // what is remembered of the first makes the second no better
			e := event{}
			require.True(t, c.next(&e), body)
			assert.Nil(t, c.object.Members, body)
		}
	}
	c.reset(unhex(t, head+"81 a161 "+strings.Repeat("91", jsonscan.MaxDepth-1)+"01"))
	e := event{}
	require.True(t, c.next(&e))
	assert.NotNil(t, c.object.Members, "the deepest that a scan takes")
	known.check(t, &c, &e)
}

// FuzzChunk: what is known of an event is what a scan finds, every byte of a chunk belongs to an event or a marker, and nothing makes it panic or go on for ever.
func FuzzChunk(f *testing.F) {
	chunks, err := fluentbit.Chunks(chunksDir)
	require.NoError(f, err)
	for _, c := range chunks {
		f.Add(c.Data, "")
	}
	f.Add(unhex(f, head+"82 a161 01 a16b 81 a162 02"), "k")
	f.Add(unhex(f, "c0 c0 92 01"), "")
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		c := chunk{recordKey: key}
		known := shapes{}
		c.reset(append(bytes.Clone(data), data...)) // the second time with what is remembered of the first
		for e := (event{}); c.next(&e); {
			known.check(t, &c, &e)
		}
		c.reset(data)
		from, broken := 0, false
		for e := (event{}); c.next(&e); {
			known.check(t, &c, &e)
			if c.at <= from || broken && c.at == len(data) && from == len(data) {
				t.Fatalf("%x: stays at %d", data, c.at)
			}
			if e.broken != "" && !strings.HasSuffix(string(data[:c.at]), e.raw) {
				t.Fatalf("%x: broken %q does not end at %d", data, e.raw, c.at)
			}
			if e.broken == "" {
				if _, err := msgpackjson.Skip(data, from); err != nil {
					t.Fatalf("%x: an event at %d that cannot be skipped: %v", data, from, err)
				}
			}
			from, broken = c.at, e.broken != ""
		}
		if c.at != len(data) {
			t.Fatalf("%x: ends at %d of %d", data, c.at, len(data))
		}
	})
}

// TestKnownBodies: what a worker knows of a body makes the message that a scan of it does.
func TestKnownBodies(t *testing.T) {
	chunks, err := fluentbit.Chunks(chunksDir)
	require.NoError(t, err)
	data := [][]byte{benchChunks()["map"], benchChunks()["line"]}
	for _, c := range chunks {
		data = append(data, c.Data)
	}
	var mixed []byte
	for i, body := range []string{
		benchRecord, `{"alert_id":"a","severity":"high","description":"\"é|\\ \u2028"}`, `{"alert_id": "b" , "severity":"Low"}`, `{"alert_id":"b","severity":"Low","labels":["a","b"],"risk_params":{"risk_score":7}}`,
		`{"alert_id":"b","severity":"Low","labels":[],"risk_params":{}}`, `{"alert_id":1}`, `{`, `{"message":"x"}`, `{"Scan ID":"s","Event":"Email Scanned","Subject":"x"}`, `datetime:1|Scan ID:s|Event:Email Scanned|Verdict:MAL`,
	} {
		for range 3 {
			mixed = msgpack.AppendRaw(mixed, at, "log", body)
			if body[0] == '{' && len(body) > 1 && i != 1 {
				mixed = msgpack.AppendStructured(mixed, at, body)
			}
		}
	}
	data = append(data, mixed)
	i, _ := instance(t, keys{"output": "syslog", "endpoint": "127.0.0.1:1", "tls_insecure": "on"})
	w := i.workers.Get().(*worker)
	encoder, err := pipe.New(encode.Config{})
	require.NoError(t, err)
	known := 0
	for _, chunk := range data {
		w.run(chunk, &attempt{at: at})
		for i := range w.recs {
			e := &w.recs[i]
			if len(e.known.Places) > 0 {
				known++
			}
			scanner, err := pipe.New(encode.Config{})
			require.NoError(t, err)
			want, _, _, wantErr := scanner.Append(nil, nil, &e.Record, jsonscan.Known{}, 4096)
			got, _, _, err := encoder.Append(nil, nil, &e.Record, e.known, 4096)
			require.Equal(t, wantErr, err)
			require.Equal(t, string(want), string(got))
		}
	}
	require.Greater(t, known, 2*benchRecords+10)
}

package plugin

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/test/fluentbit"
	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/msgpack"
)

// TestChunksGoldens: of the recorded buffers the plugin makes what the Collector makes of their records.
func TestChunksGoldens(t *testing.T) {
	chunks, err := fluentbit.Chunks(chunksDir)
	require.NoError(t, err)
	for _, c := range chunks {
		t.Run(c.Name, func(t *testing.T) {
			got := ""
			for _, format := range fluentbit.Formats {
				dir := t.TempDir()
				store, _ := instance(t, keys{"output": "directory", "directory": dir, "format": format})
				assert.Equal(t, OK, store.Flush("tag", c.Data))
				tree, err := fluentbit.Tree(dir)
				require.NoError(t, err)

				address, received := listen(t)
				siem, _ := instance(t, keys{
					"output": "syslog", "endpoint": address, "tls_insecure": "on", "framing": "newline", "hostname": "host",
					"include_invalid": "true", "format": format,
				})
				assert.Equal(t, OK, siem.Flush("tag", c.Data))
				_, want, _ := strings.Cut(golden(t, c.Name, format), "== syslog\n")
				got += fluentbit.Part(format, tree, take(received, strings.Count(want, "\n")))
			}
			assert.Equal(t, golden(t, c.Name, ""), got)
		})
	}
}

// golden is the golden of a chunk, or its part of one format.
func golden(t *testing.T, name, format string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(chunksDir, name+".golden"))
	require.NoError(t, err)
	if format == "" {
		return string(b)
	}
	_, part, ok := strings.Cut(string(b), "#### format "+format+"\n")
	require.True(t, ok)
	part, _, _ = strings.Cut(part, "#### ")
	return part
}

// TestCorpus: every case of every format comes out as its golden says, as a line, and as a map where a map can hold it.
func TestCorpus(t *testing.T) {
	cases, err := harness.Corpus("../../testdata")
	require.NoError(t, err)
	when := time.Unix(1700000000, 0)
	all := keys{"exclude_dismissed": "no", "exclude_snoozed": "no"}
	byFormat := map[string]*Instance{}
	address, received := listen(t)
	structured := 0
	for i := range cases {
		c := &cases[i]
		t.Run(c.Name, func(t *testing.T) {
			path := filepath.Join("../../testdata", c.Name)
			raw, err := os.ReadFile(path + ".in")
			require.NoError(t, err)
			line := msgpack.AppendRaw(nil, when, "log", string(raw))
			if fields, err := os.ReadFile(path + ".fields"); err == nil {
				line = []byte{0x92, 0x92, 0xce, 0x65, 0x53, 0xf1, 0x00} // the same time, as an integer
				line = msgpack.AppendString(append(line, 0x81), "siem.fields")
				line = msgpack.AppendString(line, strings.TrimSpace(string(fields)))
				line = msgpack.AppendString(msgpack.AppendString(append(line, 0x81), "log"), string(raw))
			}
			key, err := os.ReadFile(path + ".key")
			require.NoError(t, err)
			chunks := map[string][]byte{"line": line}
			if object := asMap(c.Input); object != nil && c.Golden.EventType != "invalid" {
				structured++
				chunks["map"] = append(msgpack.AppendHead(nil, when), object...)
			}
			format := c.Golden.Format
			siem := byFormat[format]
			if siem == nil {
				siem, _ = instance(t, all.with(keys{
					"output": "syslog", "endpoint": address, "tls_insecure": "on", "framing": "newline", "header": "none",
					"include_invalid": "true", "format": format,
				}))
			}
			for form, chunk := range chunks {
				dir := t.TempDir()
				store, _ := instance(t, all.with(keys{"output": "directory", "directory": dir, "format": format}))
				require.Equal(t, OK, store.Flush("tag", chunk))
				tree, err := fluentbit.Tree(dir)
				require.NoError(t, err)
				assert.Equal(t, string(c.Golden.Body)+"\n", tree[strings.TrimSuffix(string(key), "\n")], form)
				if c.Format != "aws.guardduty" { // whose rows are findings besides
					assert.Len(t, tree, 1)
				}

				require.Equal(t, OK, siem.Flush("tag", chunk))
				messages := take(received, len(tree))
				require.Len(t, messages, len(tree))
				assert.Equal(t, c.Message, messages[0], form)
			}
		})
	}
	assert.Greater(t, structured, len(cases)/4, "cases as maps")
}

// asMap is the MessagePack of a JSON object, nil where that cannot come out as it went in: blanks, escapes and the way a
// number is written are lost on the way.
func asMap(input string) []byte {
	input = strings.TrimSpace(input)
	members, compact, err := jsonscan.Members(nil, input)
	if err != nil || !compact || len(members) == 0 {
		return nil
	}
	for _, m := range members {
		if m.Name == "log" || m.Name == "message" {
			return nil
		}
	}
	b := msgpack.AppendJSON(nil, input)
	events := read(append(msgpack.AppendHead(nil, at), b...), "")
	if len(events) != 1 || events[0].raw != input {
		return nil
	}
	return b
}

// TestScansAsFindings: with the key, scans come out as their other goldens say, and so do the findings beside log rows.
func TestScansAsFindings(t *testing.T) {
	cases, err := harness.Corpus("../../testdata")
	require.NoError(t, err)
	seen := 0
	for i := range cases {
		want, err := os.ReadFile(filepath.Join("../../testdata", cases[i].Name+".finding.json"))
		if err != nil {
			continue
		}
		seen++
		dir := t.TempDir()
		store, _ := instance(t, keys{"output": "directory", "directory": dir, "scans_as_findings": "on", "exclude_dismissed": "off", "exclude_snoozed": "off", "format": cases[i].Golden.Format})
		require.Equal(t, OK, store.Flush("tag", msgpack.AppendRaw(nil, time.Unix(1700000000, 0), "log", cases[i].Input)))
		tree, err := fluentbit.Tree(dir)
		require.NoError(t, err)
		var golden harness.Golden
		require.NoError(t, json.Unmarshal(want, &golden))
		made := 0
		for key, content := range tree { // a row of GuardDuty stays beside its finding
			if strings.HasPrefix(key, "Panoptica/"+golden.EventType+"/") {
				assert.Equal(t, string(golden.Body)+"\n", content, cases[i].Name)
				made++
			}
		}
		assert.Equal(t, 1, made, cases[i].Name)
	}
	assert.Greater(t, seen, 5)
}

// TestCorpusInOneChunk: all of the corpus in one chunk, in any order, is the same records, and none takes another with it.
func TestCorpusInOneChunk(t *testing.T) {
	cases, err := harness.Corpus("../../testdata")
	require.NoError(t, err)
	var data []byte
	records := 0
	for i := range cases {
		data = msgpack.AppendRaw(data, at, "log", cases[i].Input)
		records++
		if i%7 == 0 {
			data = append(data, 0xc0) // no event
			records++
		}
	}
	data = append(data, 0x92, 0x92)
	records++
	dir := t.TempDir()
	i, _ := instance(t, keys{"output": "directory", "directory": dir, "exclude_dismissed": "no", "exclude_snoozed": "no"})
	require.Equal(t, OK, i.Flush("tag", data))
	tree, err := fluentbit.Tree(dir)
	require.NoError(t, err)
	got := 0
	for _, content := range tree {
		got += strings.Count(content, "\n") - strings.Count(content, `,"guardduty":{"type":`) // findings beside their rows
		for line := range strings.Lines(content) {
			require.NoError(t, jsonscan.Valid(line))
		}
	}
	assert.Equal(t, records, got)
}

// TestEveryFormatIsTaken: the formats of the core are those of the key.
func TestEveryFormatIsTaken(t *testing.T) {
	for _, format := range format.Names() {
		instance(t, keys{"output": "directory", "directory": t.TempDir(), "format": format})
	}
	assert.Equal(t, 1, bytes.Count([]byte(Keys[2].Type()), []byte("`auto`")))
}

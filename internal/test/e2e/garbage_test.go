package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/harness"
)

// TestGarbage: what cannot be read is kept whole as invalid, and its neighbours in the same body arrive.
func TestGarbage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	r := start(t, []string{"panoptica_s3"}, directoryExporter(dir))
	garbage := map[string]string{
		"words":          "garbage that is no record of any format",
		"half an object": `{"alert_id":"half","severity":"High","labels":["a",`,
		"3 MB line":      `{"alert_id":"long","description":"` + strings.Repeat("x", 3<<20) + `"}`,
		"3 MB of text":   strings.Repeat("y", 3<<20),
		"deep nesting":   `{"alert_id":"deep","labels":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
		"invalid UTF-8":  "{\"alert_id\":\"utf8\",\"description\":\"\xff\xfe\"}",
		"binary":         "\x00\x01\x02\xff\xfe\x80 no line end",
		"no schema":      `{"alert_id":"schema","severity":"Dreadful"}`,
	}
	for name, raw := range garbage {
		// No two are the same: equal records of two batches can be one object.
		before := fmt.Sprintf(`{"alert_id":"before %s","detection_type":"other"}`, name)
		after := fmt.Sprintf(`{"alert_id":"after %s","detection_type":"other"}`, name)
		a := r.post(t, "", before+"\n"+raw+"\n"+after+"\n")
		assert.Equal(t, 3, a.Accepted, name)
	}
	r.waitSent(t, "panoptica_s3", 3*len(garbage))

	objects, err := harness.Tree(dir)
	require.NoError(t, err)
	kept := map[string]int{}
	neighbours := 0
	for i := range objects {
		if objects[i].Segments()[1] != record.Invalid {
			neighbours += len(objects[i].Lines)
			continue
		}
		for _, line := range objects[i].Lines {
			var body struct {
				Error      string `json:"error"`
				Format     string `json:"format"`
				ReceivedAt string `json:"received_at"`
				Raw        string `json:"raw"`
				RawBase64  []byte `json:"raw_base64"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &body))
			assert.NotEmpty(t, body.Error)
			assert.NotEmpty(t, body.Format)
			assert.NotEmpty(t, body.ReceivedAt)
			kept[body.Raw+string(body.RawBase64)]++
		}
	}
	assert.Equal(t, 2*len(garbage), neighbours, "neighbours")
	for name, raw := range garbage {
		assert.Equal(t, 1, kept[raw], "%s: is kept whole", name)
	}
	assert.Len(t, kept, len(garbage))
}

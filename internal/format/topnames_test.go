package format

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestOnlyFindings: an object that has none of the other formats' names is a finding, and no format but that of findings needs
// to be asked.
func TestOnlyFindings(t *testing.T) {
	assert.Equal(t, "panoptica", Formats[0].Name)
	for i := range Formats {
		f := &Formats[i]
		in := Input{Raw: `{"alert_id":"a"}`, Compact: true, defaultFields: DefaultFlowFields, header: defaultFlowHeader}
		in.scan(in.Raw)
		in.has(topNames{})
		assert.Equal(t, i == 0, f.claims(&in), f.Name)
		assert.Equal(t, findingNames, in.top)
	}
}

// TestNamesOfShape: names that are remembered are those of the same names.
func TestNamesOfShape(t *testing.T) {
	p, err := NewParser(Options{})
	assert.NoError(t, err)
	for _, raw := range []string{`{"alert_id":1}`, `{"alert_id":2}`, `{"eventVersion":1}`, `{"alert_id":2}`, `{`, `{"alert_id":2}`, `line`, `{}`, `{"detail":2,"x":1}`, `{"detail":2}`} {
		for range 2 {
			p.in.scan(raw)
			p.in.has(topNames{})
			want := Input{}
			want.scan(raw)
			want.has(topNames{})
			assert.Equal(t, want.top, p.in.top, raw)
		}
	}
}

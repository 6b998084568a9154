package format

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestColumnsArePanthers holds the tables to Panther's: testdata/panther_columns.json has the columns of its documentation,
// https://github.com/panther-labs/panther-docs, with their types and which of them are required.
func TestColumnsArePanthers(t *testing.T) {
	text, err := os.ReadFile("testdata/panther_columns.json")
	require.NoError(t, err)
	type panthers struct {
		Name, Type string
		Required   bool
	}
	var tables map[string][]panthers
	require.NoError(t, json.Unmarshal(text, &tables))
	require.Len(t, tables, 11)
	for i := range Formats {
		f := &Formats[i]
		want, ok := tables[f.EventTypes[0]]
		if !ok {
			continue
		}
		delete(tables, f.EventTypes[0])
		var got []panthers
		for _, c := range f.Columns() {
			got = append(got, panthers{c.Name, c.Type, c.Required})
		}
		assert.Equal(t, want, got, f.Name)
	}
	assert.Empty(t, tables, "tables without a format")
}

// TestFlowNames: the fields of headers and the columns of the table are in one order.
func TestFlowNames(t *testing.T) {
	require.Len(t, vpcFlow.table.fields, int(numFlowColumns))
	for i, names := range flowNames {
		assert.Equal(t, vpcFlow.table.fields[i].name, names.column)
		assert.Equal(t, flowColumn(i), flowColumnOf(names.field))
	}
	assert.True(t, isFlowHeader(DefaultFlowFields))
}

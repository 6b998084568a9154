package logrecord

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/plog"
)

// nested has 2 resources of 2 scopes of 3 records, numbered in order.
func nested() plog.Logs {
	logs := plog.NewLogs()
	n := 0
	for r := range 2 {
		rl := logs.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutInt("r", int64(r))
		rl.SetSchemaUrl(fmt.Sprint("resource-", r))
		for s := range 2 {
			sl := rl.ScopeLogs().AppendEmpty()
			sl.Scope().SetName(fmt.Sprint("scope-", s))
			sl.SetSchemaUrl(fmt.Sprint("scope-", s))
			for range 3 {
				sl.LogRecords().AppendEmpty().Body().SetInt(int64(n))
				n++
			}
		}
	}
	return logs
}

// TestSubset: each record that is kept has its resource and scope, and resources and scopes without one are left out.
func TestSubset(t *testing.T) {
	logs := nested()
	got := Subset(logs, func(i int) bool { return i == 1 || i == 2 || i == 10 })
	var told []string
	for _, rl := range got.ResourceLogs().All() {
		r, _ := rl.Resource().Attributes().Get("r")
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				told = append(told, fmt.Sprintf("%d %s %s %s %d", r.Int(), rl.SchemaUrl(), sl.Scope().Name(), sl.SchemaUrl(), lr.Body().Int()))
			}
		}
	}
	assert.Equal(t, []string{"0 resource-0 scope-0 scope-0 1", "0 resource-0 scope-0 scope-0 2", "1 resource-1 scope-1 scope-1 10"}, told)
	assert.Equal(t, 2, got.ResourceLogs().Len())
	assert.Equal(t, 12, logs.LogRecordCount(), "what it is copied from does not change")
	assert.Zero(t, Subset(logs, func(int) bool { return false }).LogRecordCount())
}

// TestAllStops: who has seen enough is not shown more.
func TestAllStops(t *testing.T) {
	seen := 0
	for lr := range All(nested()) {
		if seen++; lr.Body().Int() == 4 {
			break
		}
	}
	assert.Equal(t, 5, seen)
}

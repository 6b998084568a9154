package logrecord

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// KeepOnly is called after records were dropped from a batch of so many received. The texts of those that are left are parts of
// what was received and keep all of it alive, while a queue that they wait in counts them alone. So KeepOnly copies their texts
// when fewer than half are left.
func KeepOnly(logs plog.Logs, received int) {
	if 2*logs.LogRecordCount() >= received {
		return
	}
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				ownText(lr.Body())
				for _, value := range lr.Attributes().All() {
					ownText(value)
				}
			}
		}
	}
}

func ownText(value pcommon.Value) {
	if value.Type() == pcommon.ValueTypeStr {
		value.SetStr(strings.Clone(value.Str()))
	}
}

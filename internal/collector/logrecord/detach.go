package logrecord

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// DetachRemainder is called after records were dropped from a batch of so many received. The remaining texts are parts of the
// payload that was received and keep all of it alive, while a queue that they wait in counts them alone. So DetachRemainder copies
// them if fewer than half of the records remain.
func DetachRemainder(logs plog.Logs, received int) {
	if 2*logs.LogRecordCount() >= received {
		return
	}
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				detach(lr.Body())
				for _, value := range lr.Attributes().All() {
					detach(value)
				}
			}
		}
	}
}

func detach(value pcommon.Value) {
	if value.Type() == pcommon.ValueTypeStr {
		value.SetStr(strings.Clone(value.Str()))
	}
}

package otelrecord

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// KeepOnly is for who drops records. Where fewer than half of the received ones are left in logs it copies their texts: those are
// parts of what was received, and would keep all of it alive for as long as they wait in a queue, which counts only them.
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

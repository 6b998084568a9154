package logrecord

import (
	"iter"

	"go.opentelemetry.io/collector/pdata/plog"
)

// All yields every log record in order.
func All(logs plog.Logs) iter.Seq[plog.LogRecord] {
	return func(yield func(plog.LogRecord) bool) {
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					if !yield(lr) {
						return
					}
				}
			}
		}
	}
}

// Subset copies the log records whose place in the order of All is kept, with their resources and scopes.
func Subset(logs plog.Logs, keep func(i int) bool) plog.Logs {
	b := Builder{}
	i := 0
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				if keep(i) {
					lr.CopyTo(b.Add(rl, sl))
				}
				i++
			}
		}
	}
	return b.Logs()
}

// Builder makes a plog.Logs of records of one other, each with its resource and scope. The zero value is ready. It is for one
// goroutine.
type Builder struct {
	logs   plog.Logs
	made   bool
	fromRL plog.ResourceLogs
	fromSL plog.ScopeLogs
	toRL   plog.ResourceLogs
	toSL   plog.ScopeLogs
}

// Logs is what was built; a later Add changes it.
func (b *Builder) Logs() plog.Logs {
	if !b.made {
		b.logs, b.made = plog.NewLogs(), true
	}
	return b.logs
}

// Add returns an empty log record with resource and scope as those of rl and sl. Records that follow each other and come from the
// same resource and scope share them.
func (b *Builder) Add(rl plog.ResourceLogs, sl plog.ScopeLogs) plog.LogRecord {
	logs := b.Logs()
	newResource := logs.ResourceLogs().Len() == 0 || rl != b.fromRL
	if newResource {
		b.toRL = logs.ResourceLogs().AppendEmpty()
		rl.Resource().CopyTo(b.toRL.Resource())
		b.toRL.SetSchemaUrl(rl.SchemaUrl())
	}
	if newResource || sl != b.fromSL {
		b.toSL = b.toRL.ScopeLogs().AppendEmpty()
		sl.Scope().CopyTo(b.toSL.Scope())
		b.toSL.SetSchemaUrl(sl.SchemaUrl())
	}
	b.fromRL, b.fromSL = rl, sl
	return b.toSL.LogRecords().AppendEmpty()
}

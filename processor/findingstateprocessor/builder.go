package findingstateprocessor

import (
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
)

// place is a log record with its resource and scope.
type place struct {
	resource plog.ResourceLogs
	scope    plog.ScopeLogs
	record   plog.LogRecord
}

// builder copies records into logs of their own. What came in is never changed: a sender that is refused sends the same logs
// again. The zero value is empty.
type builder struct {
	logrecord.Builder
	n int // records
}

func (b *builder) add(p place) plog.LogRecord {
	b.n++
	lr := b.Add(p.resource, p.scope)
	p.record.CopyTo(lr)
	return lr
}

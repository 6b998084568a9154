package findingstateprocessor

import "go.opentelemetry.io/collector/pdata/plog"

// place is a log record with its position in the batch.
type place struct {
	resource plog.ResourceLogs
	scope    plog.ScopeLogs
	record   plog.LogRecord
	r, s     int // index of the resource and the scope
}

// builder copies records into logs of their own, each under a copy of its resource and scope. What came in is never changed:
// a sender that is refused sends the same logs again. The zero value is empty.
type builder struct {
	logs  plog.Logs
	scope plog.ScopeLogs
	r, s  int
	n     int
}

func (b *builder) add(p place) plog.LogRecord {
	if b.n == 0 {
		b.logs = plog.NewLogs()
	}
	if b.n == 0 || b.r != p.r {
		rl := b.logs.ResourceLogs().AppendEmpty()
		p.resource.Resource().CopyTo(rl.Resource())
		rl.SetSchemaUrl(p.resource.SchemaUrl())
	}
	if b.n == 0 || b.r != p.r || b.s != p.s {
		rl := b.logs.ResourceLogs().At(b.logs.ResourceLogs().Len() - 1)
		b.scope = rl.ScopeLogs().AppendEmpty()
		p.scope.Scope().CopyTo(b.scope.Scope())
		b.scope.SetSchemaUrl(p.scope.SchemaUrl())
	}
	b.r, b.s = p.r, p.s
	b.n++
	lr := b.scope.LogRecords().AppendEmpty()
	p.record.CopyTo(lr)
	return lr
}

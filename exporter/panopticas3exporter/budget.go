package panopticas3exporter

import (
	"sync/atomic"

	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
)

// maxOpenBytes is the most that open batches hold together. Fifty partitions still make objects of more than half a megabyte
// under full load. With half of it uploads become too small to keep up (bench, case A); twice as much takes 80 MB more memory.
const maxOpenBytes = 32 << 20

// budget bounds what all open batches hold together. The batcher knows only the size of each: with more partitions than fit
// into the queue at that size all of it would wait for the timer, and the receivers with it. Above the limit the batches
// that are larger than the average are due as soon as something comes to them. It is safe for concurrent use.
type budget struct {
	limit   int64
	bytes   atomic.Int64
	batches atomic.Int64
}

// newBudget takes half of a queue that is measured in bytes, so that the other half can be on its way to the store.
func newBudget(cfg *Config) *budget {
	b := &budget{limit: maxOpenBytes}
	if queue := cfg.QueueConfig.Get(); queue != nil && queue.StorageID == nil && queue.Sizer == exporterhelper.RequestSizerTypeBytes {
		b.limit = min(b.limit, queue.QueueSize/2)
	}
	return b
}

// hold counts a batch to which more was added, if anything, and says whether it is due.
func (b *budget) hold(r *request, more xexporterhelper.Request) {
	if b == nil {
		return
	}
	added := int64(r.bytes)
	if other, ok := more.(*request); ok && r.open {
		added = int64(other.bytes)
	}
	batches := b.batches.Load()
	if !r.open {
		r.open = true
		batches = b.batches.Add(1)
	}
	bytes := b.bytes.Add(added)
	r.due = bytes > b.limit && int64(r.bytes)*batches >= bytes
}

// release takes a batch out of the count, once.
func (b *budget) release(r *request) {
	if b == nil || !r.open {
		return
	}
	r.open = false
	b.batches.Add(-1)
	b.bytes.Add(-int64(r.bytes))
}

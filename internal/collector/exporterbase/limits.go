package exporterbase

import (
	"math"

	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// maxRequestBytes bounds a request, except for an item that alone is larger: with batches of min_size and one request more, an
// object of a single partition is at most some 40 MiB before compression.
const maxRequestBytes = 8 << 20

// limits are the most that a request may hold.
type limits struct {
	bytes, items int
	room         int // as request.room
}

// newLimits takes half of a queue that is small: what is larger than all of the queue would never come into it, and what is
// nearly as large only when nothing else does.
func newLimits(queue configoptional.Optional[exporterhelper.QueueBatchConfig]) limits {
	most := limits{bytes: maxRequestBytes, items: math.MaxInt}
	if !queue.HasValue() {
		return most
	}
	half := int(max(1, queue.Get().QueueSize/2))
	switch queue.Get().Sizer {
	case exporterhelper.RequestSizerTypeBytes:
		most.bytes, most.room = min(most.bytes, half), half
	case exporterhelper.RequestSizerTypeItems:
		most.items = half
	}
	return most
}

// Package liveheap measures what tests and benchmarks hold in memory, whatever the machine has left as garbage.
package liveheap

import "runtime"

// Bytes is what is in use on the heap after a collection, with what pools keep until the collection after this one.
func Bytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

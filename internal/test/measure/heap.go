package measure

import "runtime"

// Heap is what is in use on the heap, in bytes, after a collection, with what pools keep until the collection after this one.
func Heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

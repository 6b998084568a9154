// Package measure measures what tests and benchmarks use: CPU time, which other processes do not inflate, and the heap.
package measure

import (
	"syscall"
	"testing"
	"time"
)

// CPU is what the process has used of all processors so far, garbage collection included.
func CPU(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

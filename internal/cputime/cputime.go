// Package cputime measures tests and benchmarks by what other processes do not lengthen.
package cputime

import (
	"syscall"
	"testing"
	"time"
)

// Used is what the process has used of all processors so far, garbage collection included.
func Used(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

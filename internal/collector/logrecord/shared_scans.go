package logrecord

import (
	"context"
	"sync"

	"github.com/siempipe/siempipe/internal/format"
)

// SharedScans gives the component that parses a batch the receiver's JSON scans of its records, so that no record is scanned twice.
// They travel in the context of the batch. A component in between that uses a context of its own, such as a batch processor, loses
// them: then the records are scanned again. Safe for concurrent use.
type SharedScans struct {
	mu      sync.Mutex
	scans   *format.Scans // nil once reclaimed
	readers int
}

type sharedScansKey struct{}

// PassWithScans calls pass with a context that shares scans. It returns the error of pass, and empty scans for the next batch: the
// same ones, or new ones if somebody still reads those.
func PassWithScans(ctx context.Context, scans *format.Scans, pass func(context.Context) error) (next *format.Scans, err error) {
	ctx, shared := ShareScans(ctx, scans)
	err = pass(ctx)
	if next = shared.Reclaim(); next == nil {
		return new(format.Scans), err
	}
	next.Reset()
	return next, err
}

// ShareScans returns a context that shares scans, which must not be changed until Reclaim.
func ShareScans(ctx context.Context, scans *format.Scans) (context.Context, *SharedScans) {
	s := &SharedScans{scans: scans}
	return context.WithValue(ctx, sharedScansKey{}, s), s
}

// Reclaim ends the sharing: nobody can begin to read the scans any more. It returns them for reuse, or nil if somebody still reads
// them, since a component may have passed the batch on in a goroutine of its own.
func (s *SharedScans) Reclaim() *format.Scans {
	s.mu.Lock()
	defer s.mu.Unlock()
	scans := s.scans
	s.scans = nil
	if s.readers > 0 {
		return nil
	}
	return scans
}

// ScansOf returns a reader of the scans that ctx shares, which finds none if ctx shares none, and a function to call when the
// reader is not used any more.
func ScansOf(ctx context.Context) (reader format.ScanReader, done func()) {
	s, ok := ctx.Value(sharedScansKey{}).(*SharedScans)
	if !ok {
		return format.ScanReader{}, func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scans == nil {
		return format.ScanReader{}, func() {}
	}
	s.readers++
	return s.scans.Reader(), s.done
}

func (s *SharedScans) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers--
}

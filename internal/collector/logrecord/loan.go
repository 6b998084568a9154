package logrecord

import (
	"context"
	"sync"

	"github.com/siempipe/siempipe/internal/format"
)

// Loan lends the scans that a receiver made of a batch's records to the component that parses them, so that no record is scanned
// twice. It travels in the context that the batch is passed on with. A component on the way that uses a context of its own, such as
// a batch processor, loses it: then the records are scanned again. Safe for concurrent use.
type Loan struct {
	mu        sync.Mutex
	scans     *format.Scans
	borrowers int
}

type loanKey struct{}

// Lending calls pass with a context that lends scans. It returns the error of pass, and empty scans for the next batch: the same
// ones, or new ones when somebody still reads those.
func Lending(ctx context.Context, scans *format.Scans, pass func(context.Context) error) (next *format.Scans, err error) {
	ctx, loan := Lend(ctx, scans)
	err = pass(ctx)
	if next = loan.Return(); next == nil {
		return new(format.Scans), err
	}
	next.Reset()
	return next, err
}

// Lend returns a context that lends scans, which must not be changed until Return.
func Lend(ctx context.Context, scans *format.Scans) (context.Context, *Loan) {
	l := &Loan{scans: scans}
	return context.WithValue(ctx, loanKey{}, l), l
}

// Return ends the loan: nobody can borrow the scans any more. It returns them to be used again, or nil when somebody still reads
// them, since a component may have passed the batch on in a goroutine of its own.
func (l *Loan) Return() *format.Scans {
	l.mu.Lock()
	defer l.mu.Unlock()
	scans := l.scans
	l.scans = nil
	if l.borrowers > 0 {
		return nil
	}
	return scans
}

// Borrow returns a reader of the scans that ctx lends, which finds none when ctx lends none, and a function to call when the reader
// is not used any more.
func Borrow(ctx context.Context) (format.ScanReader, func()) {
	l, ok := ctx.Value(loanKey{}).(*Loan)
	if !ok {
		return format.ScanReader{}, func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.scans == nil {
		return format.ScanReader{}, func() {}
	}
	l.borrowers++
	return l.scans.Reader(), l.done
}

func (l *Loan) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.borrowers--
}

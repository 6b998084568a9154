package logrecord

import (
	"sync"
	"testing"

	"github.com/siempipe/siempipe/internal/format"
)

const text = `{"alert_id":"a"}`

func scansOf(t *testing.T) *format.Scans {
	t.Helper()
	scans := new(format.Scans)
	if err := scans.Check(text, "", ""); err != nil {
		t.Fatal(err)
	}
	return scans
}

func TestLoan(t *testing.T) {
	if r, done := Borrow(t.Context()); r.Find(text).Members != nil {
		t.Error("members of a text that nobody scanned")
	} else {
		done()
	}
	scans := scansOf(t)
	ctx, loan := Lend(t.Context(), scans)
	for range 2 { // two pipelines
		r, done := Borrow(ctx)
		if len(r.Find(text).Members) != 1 {
			t.Error("not found")
		}
		done()
	}
	if loan.Return() != scans {
		t.Error("scans that nobody reads are not returned")
	}
	if r, _ := Borrow(ctx); r.Find(text).Members != nil {
		t.Error("lent after they were returned")
	}
	if loan.Return() != nil {
		t.Error("returned twice")
	}
}

// TestLoanOutlived: who reads on in a goroutine of its own keeps the scans, and the receiver takes others.
func TestLoanOutlived(t *testing.T) {
	ctx, loan := Lend(t.Context(), scansOf(t))
	r, done := Borrow(ctx)
	if loan.Return() != nil {
		t.Error("returned while they are read")
	}
	if len(r.Find(text).Members) != 1 {
		t.Error("not found")
	}
	done()
}

func TestLoanRaces(t *testing.T) {
	var wg sync.WaitGroup
	scans := scansOf(t)
	for range 200 {
		ctx, loan := Lend(t.Context(), scans)
		for range 3 {
			wg.Go(func() {
				r, done := Borrow(ctx)
				defer done()
				if o := r.Find(text); o.Members != nil && (len(o.Members) != 1 || o.Members[0].Name != "alert_id") {
					t.Errorf("%+v", o)
				}
			})
		}
		if scans = loan.Return(); scans == nil {
			scans = new(format.Scans)
		}
		scans.Reset()
		if err := scans.Check(text, "", ""); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

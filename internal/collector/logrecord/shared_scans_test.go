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

func TestSharedScans(t *testing.T) {
	if r, done := ScansOf(t.Context()); r.Find(text).Members != nil {
		t.Error("members of a text that nobody scanned")
	} else {
		done()
	}
	scans := scansOf(t)
	ctx, shared := ShareScans(t.Context(), scans)
	for range 2 { // two pipelines
		r, done := ScansOf(ctx)
		if len(r.Find(text).Members) != 1 {
			t.Error("not found")
		}
		done()
	}
	if shared.Reclaim() != scans {
		t.Error("scans that nobody reads are not reclaimed")
	}
	if r, _ := ScansOf(ctx); r.Find(text).Members != nil {
		t.Error("shared after they were reclaimed")
	}
	if shared.Reclaim() != nil {
		t.Error("reclaimed twice")
	}
}

// TestSharedScansOutlived: who reads on in a goroutine of its own keeps the scans, and the receiver takes others.
func TestSharedScansOutlived(t *testing.T) {
	ctx, shared := ShareScans(t.Context(), scansOf(t))
	r, done := ScansOf(ctx)
	if shared.Reclaim() != nil {
		t.Error("reclaimed while they are read")
	}
	if len(r.Find(text).Members) != 1 {
		t.Error("not found")
	}
	done()
}

func TestSharedScansRace(t *testing.T) {
	var wg sync.WaitGroup
	scans := scansOf(t)
	for range 200 {
		ctx, shared := ShareScans(t.Context(), scans)
		for range 3 {
			wg.Go(func() {
				r, done := ScansOf(ctx)
				defer done()
				if o := r.Find(text); o.Members != nil && (len(o.Members) != 1 || o.Members[0].Name != "alert_id") {
					t.Errorf("%+v", o)
				}
			})
		}
		if scans = shared.Reclaim(); scans == nil {
			scans = new(format.Scans)
		}
		scans.Reset()
		if err := scans.Check(text, "", ""); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

package detect

import (
	"cmp"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/measure"
)

const minute = int64(time.Minute)

// clock is a clock that stands still.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newTestWindows(limits Limits) (*Windows, *clock) {
	c := &clock{time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
	return NewWindows(limits, c.now), c
}

// count counts one record of its own transaction: key at minute m.
func count(w *Windows, key string, threshold int, at float64, id string) (fired bool, changes []Change) {
	t := w.begin()
	c := t.match(key, 10*time.Minute, threshold, int64(at*float64(minute)), id, func() []byte { return []byte(`{"first":"` + id + `"}`) })
	t.commit(func(c []Change) { changes = c })
	return c.fired, changes
}

func TestWindow(t *testing.T) {
	tests := map[string]struct {
		threshold int
		at        []float64 // minutes, in order of arrival
		fires     []int     // indexes
	}{
		"each threshold once":                {3, []float64{0, 1, 2, 3, 4, 5, 6}, []int{2}},
		"the window begins with the first":   {3, []float64{0, 5, 10, 11}, []int{}},
		"after the window another":           {3, []float64{0, 1, 9.99, 10, 11, 12}, []int{2, 5}},
		"one is enough":                      {1, []float64{0, 1, 9, 10, 20}, []int{0, 3, 4}},
		"late within the period":             {3, []float64{5, 0, 9}, []int{2}},
		"late moves the beginning":           {3, []float64{5, 0, 10.5, 9}, []int{3}},
		"late, beyond the period":            {2, []float64{5, 10, -5.5}, []int{1}},
		"late counts in a window of its own": {2, []float64{5, 14, -1, 0}, []int{1, 3}},
		"late joins a finding that is out":   {2, []float64{5, 6, 3, 2}, []int{1}},
		"the far future is a window too":     {2, []float64{0, 1e6, 1, 1e6 + 1}, []int{2, 3}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, _ := newTestWindows(Limits{})
			fires := []int{}
			for i, at := range test.at {
				if fired, _ := count(w, "k", test.threshold, at, fmt.Sprint(i)); fired {
					fires = append(fires, i)
				}
			}
			if !reflect.DeepEqual(fires, test.fires) {
				t.Errorf("fires at %v, want %v", fires, test.fires)
			}
		})
	}
}

func TestWindowCountsARecordOnce(t *testing.T) {
	w, _ := newTestWindows(Limits{})
	for range 5 {
		if fired, _ := count(w, "k", 2, 0, "same"); fired {
			t.Fatal("one record is no two")
		}
	}
	if fired, _ := count(w, "k", 2, 0, "other"); !fired {
		t.Error("two records")
	}
	if _, _, counts := w.Len(); counts.Duplicate != 4 {
		t.Errorf("%+v", counts)
	}
	for range 3 { // without an id they cannot be told apart
		fired, _ := count(w, "no id", 3, 0, "")
		_ = fired
	}
	if fired, _ := count(w, "no id", 3, 0, ""); fired {
		t.Error("fired twice")
	}
}

// TestRollback: after a rollback everything is as it was, whatever the transaction did.
func TestRollback(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	w, _ := newTestWindows(Limits{})
	for round := range 200 {
		before := snapshot(w)
		tr := w.begin()
		for range rnd.Intn(20) {
			key, at, id := fmt.Sprint("k", rnd.Intn(5)), int64(rnd.Intn(60))*minute, fmt.Sprint(rnd.Intn(100))
			if rnd.Intn(2) == 0 {
				tr.match(key, 10*time.Minute, 1+rnd.Intn(4), at, id, func() []byte { return []byte(`{"x":1}`) })
			} else {
				tr.correlate("c"+key, 10*time.Minute, 1+rnd.Intn(4), at, id, uint64(rnd.Intn(3)))
			}
		}
		if round%2 == 0 {
			tr.rollback()
			if after := snapshot(w); !reflect.DeepEqual(after, before) {
				t.Fatalf("round %d:\n%s\nwant\n%s", round, after, before)
			}
		} else {
			tr.commit(nil)
		}
	}
}

// snapshot is the state of all windows, and that of what counts them.
func snapshot(w *Windows) map[string]string {
	all := map[string]string{}
	var bytes int64
	n := 0
	for key, list := range w.byKey {
		if !slices.IsSortedFunc(list, func(a, b *window) int { return cmp.Compare(a.start, b.start) }) {
			panic(key)
		}
		for _, x := range list {
			all[fmt.Sprint(key, " ", x.slot)] = string(x.encode())
			bytes += x.size
			n++
		}
	}
	if bytes != w.bytes || n != w.lru.Len() || n+len(w.free) != w.next {
		panic(fmt.Sprintf("%d bytes, counted %d; %d windows, %d in the list, %d free of %d", bytes, w.bytes, n, w.lru.Len(), len(w.free), w.next))
	}
	all["counts"] = fmt.Sprint(w.counts)
	return all
}

func TestCorrelate(t *testing.T) {
	type event struct {
		at    float64
		value uint64
	}
	tests := map[string]struct {
		count  int
		events []event
		fires  []int
	}{
		"slides":                      {3, []event{{0, 0}, {5, 0}, {10, 0}, {11, 0}, {12, 0}}, []int{3}},
		"distinct values":             {3, []event{{0, 1}, {1, 1}, {2, 2}, {3, 2}, {4, 3}}, []int{4}},
		"an old value does not count": {3, []event{{0, 1}, {5, 2}, {10, 3}, {11, 1}}, []int{3}},
		"late":                        {3, []event{{0, 0}, {9, 0}, {5, 0}}, []int{2}},
		"after it fired they join":    {2, []event{{0, 0}, {1, 0}, {2, 0}, {9, 0}, {10, 0}, {11, 0}}, []int{1, 5}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, _ := newTestWindows(Limits{})
			fires := []int{}
			for i, e := range test.events {
				tr := w.begin()
				if tr.correlate("k", 10*time.Minute, test.count, int64(e.at*float64(minute)), fmt.Sprint(i), e.value).fired {
					fires = append(fires, i)
				}
				tr.commit(nil)
			}
			if !reflect.DeepEqual(fires, test.fires) {
				t.Errorf("fires at %v, want %v", fires, test.fires)
			}
		})
	}
}

func TestWindowsAreBounded(t *testing.T) {
	w, _ := newTestWindows(Limits{Windows: 100})
	deleted := map[int]bool{}
	for i := range 1000 {
		_, changes := count(w, fmt.Sprint(i), 5, 0, fmt.Sprint(i))
		for _, c := range changes {
			deleted[c.Slot] = c.Data == nil
		}
	}
	n, _, counts := w.Len()
	if n != 100 || counts.Evicted != 900 || w.next > 101 {
		t.Errorf("%d windows, %+v, %d slots", n, counts, w.next)
	}
	if w.byKey["999"] == nil || w.byKey["900"] == nil || w.byKey["899"] != nil {
		t.Error("not the oldest are gone")
	}

	w, _ = newTestWindows(Limits{Bytes: 100_000})
	for i := range 1000 {
		tr := w.begin()
		tr.match(fmt.Sprint(i), time.Minute, 5, 0, "", func() []byte { return []byte(`{"x":"` + strings.Repeat("x", 10_000) + `"}`) })
		tr.commit(nil)
		if _, bytes, _ := w.Len(); bytes > 100_000 {
			t.Fatalf("%d bytes", bytes)
		}
	}
}

func TestSweep(t *testing.T) {
	w, c := newTestWindows(Limits{Linger: time.Hour})
	count(w, "a", 2, 0, "1")
	c.at = c.at.Add(69 * time.Minute)
	w.Sweep(func(changes []Change) { t.Errorf("%v", changes) })
	c.at = c.at.Add(time.Minute) // the period is ten minutes
	swept := 0
	w.Sweep(func(changes []Change) {
		if swept = len(changes); changes[0].Data != nil {
			t.Errorf("%v", changes)
		}
	})
	if swept != 1 {
		t.Errorf("%d swept", swept)
	}
	if n, bytes, counts := w.Len(); n != 0 || bytes != 0 || counts.Expired != 1 {
		t.Errorf("%d windows, %d bytes, %+v", n, bytes, counts)
	}
}

// TestRestore: what the store was told is what comes back, at every point of a random history.
func TestRestore(t *testing.T) {
	rnd := rand.New(rand.NewSource(2))
	w, _ := newTestWindows(Limits{Windows: 20})
	store := map[int][]byte{}
	for range 300 {
		tr := w.begin()
		for range rnd.Intn(5) {
			key, at, id := fmt.Sprint("k", rnd.Intn(40)), int64(rnd.Intn(60))*minute, fmt.Sprint(rnd.Intn(1000))
			if rnd.Intn(2) == 0 {
				tr.match(key, 10*time.Minute, 3, at, id, func() []byte { return []byte(`{"x":1}`) })
			} else {
				tr.correlate("c"+key, 10*time.Minute, 3, at, id, uint64(rnd.Intn(3)))
			}
		}
		tr.commit(func(changes []Change) {
			for _, c := range changes {
				if c.Data == nil {
					delete(store, c.Slot)
				} else {
					store[c.Slot] = c.Data
				}
			}
		})
	}
	again, _ := newTestWindows(Limits{Windows: 20})
	for slot, data := range store {
		if err := again.Restore(slot, data); err != nil {
			t.Fatal(err)
		}
	}
	want, got := snapshot(w), snapshot(again)
	delete(want, "counts")
	delete(got, "counts")
	if len(got) != len(want) {
		t.Errorf("%d windows, want %d", len(got), len(want))
	}
	for key, text := range want {
		// What joined after a window had fired is not in the store: nothing depends on it.
		if got[key] != text && !strings.Contains(text, `"fired":true`) {
			t.Errorf("%s: %s, want %s", key, got[key], text)
		}
	}
	for _, broken := range []string{``, `{}`, `[]`, `null`, `{"key":"a","period":-1}`, `{"key":"a","period":1,"start":5,"last":1}`} {
		if again.Restore(1000, []byte(broken)) == nil {
			t.Errorf("%s: no error", broken)
		}
	}
}

// TestFarTimes: times that a sender makes up cost no more than others and do not meet by running over.
func TestFarTimes(t *testing.T) {
	d := detectorOf(t, head+"siempipe: {threshold: 2}\n")
	w := d.NewWorker()
	for i, at := range []time.Time{{}, time.Unix(-1<<33, 0), time.Unix(0, 1<<62+1), time.Unix(0, 1<<63-1), time.Unix(1_700_000_000, 0)} {
		findings, _ := send(d, w, record.Record{EventType: "AWS.CloudTrail", Body: `{"eventName":"A"}`, Time: at, Received: time.Unix(1_600_000_000, 0), ID: fmt.Sprint(i)})
		if want := map[bool]int{true: 1}[i == 3]; len(findings) != want { // the third and the fourth are both of the last time there is
			t.Errorf("%v: %d findings, want %d", at, len(findings), want)
		}
	}
	windows, c := newTestWindows(Limits{})
	_ = c
	for i := range 20_000 {
		count(windows, "k", 5, float64(i*20), "")
	}
	began := measure.CPU(t)
	for i := range 1000 {
		count(windows, "k", 5, float64(i*400)+1, "")
	}
	if took := measure.CPU(t) - began; took > 2*time.Second {
		t.Errorf("%v for 1,000 records among 20,000 windows", took)
	}
	snapshot(windows)
}

func BenchmarkCount(b *testing.B) {
	w, _ := newTestWindows(Limits{})
	if fired, _ := count(w, "k", 1, 0, "x"); !fired {
		b.Fatal("does not fire")
	}
	draft := func() []byte { return []byte(`{"x":1}`) }
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		tr := w.begin()
		tr.match(fmt.Sprint(i%50_000), 10*time.Minute, 10, int64(i), "", draft)
		tr.commit(nil)
		i++
	}
}

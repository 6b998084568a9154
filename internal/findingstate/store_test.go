package findingstate

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/record"
)

// TestSipHash: vectors of SipHash-1-3, which other implementations (Rust's core::hash::sip) give for the key 00 01 … 0f.
func TestSipHash(t *testing.T) {
	key := sipKey{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	var in []byte
	for i, want := range []uint64{0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb} {
		assert.Equal(t, want, sip13(key, string(in)), "%d bytes", i)
		in = append(in, byte(i))
	}
}

// TestManyMoreThanTheCache: entries come and go between cache and pages, pages split, and nothing is forgotten or invented.
func TestManyMoreThanTheCache(t *testing.T) {
	const n = 3 * MinCacheFindings
	b := newBench(t, options())
	r := rand.New(rand.NewPCG(1, 1))
	versions := make([]int, n)
	one := func(i int) record.Record {
		return finding(fmt.Sprintf("f-%d", i), fmt.Sprintf(`,"description":"version %d"`, versions[i]))
	}
	for round := range 3 {
		for from := 0; from < n; from += 1024 {
			var recs []record.Record
			var want []string
			for i := from; i < from+1024; i++ {
				switch {
				case round == 0:
					want = append(want, "new*")
				case r.IntN(10) == 0:
					versions[i]++
					want = append(want, "changed*(description)")
				default:
					want = append(want, "unchanged")
				}
				recs = append(recs, one(i))
			}
			require.Equal(t, strings.Join(want, " "), b.see(recs...), "round %d from %d", round, from)
		}
		require.LessOrEqual(t, b.cache.len(), MinCacheFindings+1024)
		require.Equal(t, uint64(n), b.Stats().Findings)
		b.restart()
	}
	require.NoError(t, b.Close(t.Context()))
	pages, bytes := 0, 0
	for key, value := range b.store.data {
		bytes += len(key) + len(value)
		if strings.HasPrefix(key, "p/") {
			pages++
		}
		assert.False(t, strings.HasPrefix(key, "w/"), "the log is empty")
	}
	assert.InDelta(t, n/entriesPerPage, pages, n/entriesPerPage/10)
	t.Logf("%d bytes a finding in %d pages", bytes/n, pages)
	assert.Less(t, bytes/n, 200)
}

// TestEveryWriteMayFail breaks each write once: what was decided in the batch is forgotten and decided again, and nothing else
// is.
func TestEveryWriteMayFail(t *testing.T) {
	for fail := range 60 {
		b := newBench(t, options())
		o := b.NewObserver()
		known := map[string]bool{}
		writes := 0
		for round := range 30 {
			if round%7 == 3 {
				b.logBytes = minLogBytes + 1<<30 // flush with the next batch
			}
			var recs []record.Record
			for i := range 20 {
				recs = append(recs, finding(fmt.Sprintf("f-%d", (round*11+i*7)%97), ""))
			}
			for try := range 2 {
				obs := make([]Observation, len(recs))
				var load []*Observation
				for i := range recs {
					require.NoError(t, o.Observe(&recs[i], "", &obs[i]))
					load = append(load, &obs[i])
				}
				if writes == fail && try == 0 {
					b.store.failAfter = 0
				}
				writes++
				tx, err := b.Begin(b.clock)
				require.NoError(t, err)
				if err = tx.Load(t.Context(), load); err != nil {
					tx.Abort()
				} else {
					now := map[string]bool{}
					for i := range obs {
						tx.Decide(&obs[i])
						want := New
						if known[recs[i].ID] || now[recs[i].ID] {
							want = Unchanged
						}
						require.Equal(t, want, obs[i].Change, "fail %d round %d", fail, round)
						now[recs[i].ID] = true
					}
					if err = tx.Commit(t.Context()); err == nil {
						for id := range now {
							known[id] = true
						}
					}
				}
				b.store.failAfter = -1
				if err == nil {
					break
				}
				require.ErrorIs(t, err, errStorage)
				if fail%2 == 0 {
					b.restart()
					o = b.NewObserver()
				}
			}
		}
		b.restart()
		require.Equal(t, uint64(len(known)), b.Stats().Findings)
	}
}

// TestFullStorage: a batch that could not be written is not decided again, and so not delivered again, before it can be.
func TestFullStorage(t *testing.T) {
	b := newBench(t, options())
	rec := finding("f-1", "")
	decide := func() (decided bool, err error) {
		var obs Observation
		require.NoError(t, b.NewObserver().Observe(&rec, "", &obs))
		tx, err := b.Begin(b.clock)
		require.NoError(t, err)
		if err := tx.Load(t.Context(), []*Observation{&obs}); err != nil {
			tx.Abort()
			return false, err
		}
		tx.Decide(&obs)
		require.Equal(t, New, obs.Change)
		return true, tx.Commit(t.Context())
	}
	b.store.failAfter = 0
	decided, err := decide()
	require.ErrorIs(t, err, errStorage)
	require.True(t, decided)
	for range 3 {
		decided, err = decide()
		require.ErrorIs(t, err, errStorage)
		require.False(t, decided)
	}
	b.store.failAfter = -1
	decided, err = decide()
	require.NoError(t, err)
	require.True(t, decided)
	require.NotContains(t, b.store.data, keyProbe)
	require.Equal(t, "unchanged", b.see(rec))
}

// TestFlushMayBreakAnywhere: a flush is many writes, and a crash after each of them must leave the state whole.
func TestFlushMayBreakAnywhere(t *testing.T) {
	b := newBench(t, options())
	var all []record.Record
	for i := range 24000 { // more pages than one batch of the storage takes
		all = append(all, finding(fmt.Sprintf("f-%d", i), ""))
	}
	for from := 0; from < len(all); from += 4000 {
		b.see(all[from : from+4000]...)
		if from == 12000 {
			require.NoError(t, b.flush(t.Context()))
		}
	}
	require.NotZero(t, b.next-b.meta.Log)
	before := b.store.clone()
	for fail := 0; ; fail++ {
		b.store = before.clone()
		b.restart()
		b.store.failAfter = fail
		err := b.flush(t.Context())
		broke := b.store.failAfter == 0 && err != nil
		b.store.failAfter = -1
		b.restart()
		require.Equal(t, uint64(len(all)), b.Stats().Findings, "after %d writes", fail)
		require.NoError(t, b.flush(t.Context()))
		require.Equal(t, uint64(len(all)), b.meta.Entries, "after %d writes", fail)
		for from := 0; from < len(all); from += 8000 {
			require.NotContains(t, b.see(all[from:from+8000]...), "new", "after %d writes", fail)
		}
		if !broke {
			t.Logf("%d writes", fail)
			require.Greater(t, fail, 4)
			return
		}
	}
}

func TestOnlyOneUsesTheState(t *testing.T) {
	first := newBench(t, options())
	first.see(finding("f-1", ""))
	second := &bench{t: t, store: first.store, opts: first.opts, clock: start}
	second.restart()
	require.Equal(t, "unchanged new*", second.see(finding("f-1", ""), finding("f-2", "")))

	before := second.store.clone()
	first.wait(2 * time.Second)
	tx, err := first.Begin(first.clock)
	require.NoError(t, err)
	obs := make([]Observation, 1)
	rec := finding("f-3", "")
	require.NoError(t, first.NewObserver().Observe(&rec, "", &obs[0]))
	require.NoError(t, tx.Load(t.Context(), []*Observation{&obs[0]}))
	tx.Decide(&obs[0])
	require.ErrorIs(t, tx.Commit(t.Context()), ErrTakenOver)
	require.Equal(t, before.data, second.store.data, "it wrote nothing")
	_, err = first.Begin(first.clock)
	require.ErrorIs(t, err, ErrTakenOver)
	require.NoError(t, first.Close(t.Context()))
}

func TestDamage(t *testing.T) {
	fill := func() *bench {
		b := newBench(t, options())
		var recs []record.Record
		for i := range 500 {
			recs = append(recs, finding(fmt.Sprintf("f-%d", i), ""))
		}
		b.see(recs...)
		require.NoError(t, b.Close(t.Context()))
		b.see(finding("f-501", ""))
		return b
	}
	t.Run("a page", func(t *testing.T) {
		b := fill()
		b.store.data[pageKey(3)][40] ^= 1
		b.restart()
		fresh := 0
		for i := range 500 {
			if b.see(finding(fmt.Sprintf("f-%d", i), "")) == "new*" {
				fresh++
			}
		}
		assert.NotZero(t, b.Damaged)
		assert.Greater(t, fresh, 10)
		assert.Less(t, fresh, 150, "the other pages are whole")
	})
	t.Run("the log", func(t *testing.T) {
		b := fill()
		for key, value := range b.store.data {
			if strings.HasPrefix(key, "w/") {
				b.store.data[key] = value[:20]
			}
		}
		b.restart()
		assert.Equal(t, 1, b.Damaged)
		assert.Equal(t, "unchanged new*", b.see(finding("f-1", ""), finding("f-501", "")))
	})
	for name, value := range map[string]string{
		"another version": `{"version":2}`, "no JSON": `{"ver`, "no key": `{"version":1,"pages":1}`, "no pages": `{"version":1,"key":"00112233445566778899aabbccddeeff"}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := fill()
			b.store.data[keyMeta] = []byte(value)
			_, err := Open(t.Context(), b.store, b.opts)
			require.ErrorContains(t, err, keyMeta, "rather no start than a state that is not understood and then overwritten")
		})
	}
}

// TestHostileInput: limits hold, and what is beyond them is still compared.
func TestHostileInput(t *testing.T) {
	b := newBench(t, options())
	long := strings.Repeat("x", 100000)
	require.Equal(t, "new*", b.see(finding(long, "")))
	require.Equal(t, "unchanged", b.see(finding(long, "")))
	b.restart()
	require.Equal(t, "unchanged", b.see(finding(long, "")))

	many := func(value string) string {
		var m strings.Builder
		for i := range 300 {
			fmt.Fprintf(&m, `,"field %d":%q`, i, value)
		}
		return m.String()
	}
	require.Equal(t, "new*", b.see(finding("f-1", many("a"))))
	require.Equal(t, "unchanged", b.see(finding("f-1", many("a"))))
	require.Contains(t, b.see(finding("f-1", many("b"))), "changed*(*,field 0,")
	require.Equal(t, "changed*(*)", b.see(finding("f-1", strings.Replace(many("b"), `"field 299":"b"`, `"field 299":"c"`, 1))))
	require.LessOrEqual(t, len(b.names.list()), maxNames)
	require.Equal(t, "new*", b.see(finding("f-2", `,"`+long+`":1`)))
	require.Equal(t, "changed*(*)", b.see(finding("f-2", `,"`+long+`":2`)))
	require.Equal(t, "changed*(severity)", b.see(func() record.Record {
		r := finding("f-2", `,"`+long+`":2`)
		r.Body = strings.Replace(r.Body, "High", "Low", 1)
		return r
	}()), "the schema's names are always known")

	rec := finding("f-3", "")
	rec.AccountID = long
	require.Equal(t, "new*", b.see(rec))
	require.Equal(t, "unchanged", b.see(rec))

	var obs Observation
	for _, body := range []string{"", "{", "[]", `{"alert_id":"x","snoozed_until":"soon"}`} {
		require.Error(t, b.NewObserver().Observe(&record.Record{Body: body, ID: "x"}, "", &obs), body)
	}
	for _, value := range b.store.data {
		assert.Less(t, len(value), 64<<10)
	}
}

func TestTooLongAlertIDsAreMarkedWithoutAName(t *testing.T) {
	opts := options()
	b := newBench(t, opts)
	b.see(finding(strings.Repeat("x", maxAlertID+1), ""), finding("f-1", ""), finding("f-2", ""))
	b.wait(time.Hour)
	require.Empty(t, b.tick())
	b.see(finding("f-1", ""))
	b.wait(time.Hour)
	require.Equal(t, []string{"f-2"}, b.tick())
	require.Equal(t, "reopened*", b.see(finding(strings.Repeat("x", maxAlertID+1), "")))
}

// TestWaitingIsBounded: a scan that takes too much room is waited for no longer, and nothing is lost.
func TestWaitingIsBounded(t *testing.T) {
	opts := options()
	opts.OnScanCompleted, opts.MaxWaitingBytes = true, 1000
	b := newBench(t, opts)
	hold := func(scan, data string) error {
		tx, err := b.Begin(b.clock)
		require.NoError(t, err)
		require.Equal(t, Wait, tx.Route(scan, Running))
		if err := tx.Hold(scan, []byte(data), 1); err != nil {
			tx.Abort()
			return err
		}
		return tx.Commit(t.Context())
	}
	take := func() (data []string) {
		for {
			tx, err := b.Begin(b.clock)
			require.NoError(t, err)
			w, ok, err := tx.NextReleased(t.Context())
			require.NoError(t, err)
			if !ok {
				tx.Abort()
				return data
			}
			require.True(t, w.Early)
			require.NoError(t, tx.Commit(t.Context()))
			data = append(data, short(w))
		}
	}
	require.NoError(t, hold("s1", strings.Repeat("a", 400)))
	require.NoError(t, hold("s2", strings.Repeat("b", 400)))
	require.Empty(t, take())
	require.NoError(t, hold("s2", strings.Repeat("c", 400)), "the one that goes over it is still taken")
	require.ErrorIs(t, hold("s1", "d"), ErrWaitingFull)
	b.restart()
	require.ErrorIs(t, hold("s3", "d"), ErrWaitingFull)
	require.Equal(t, []string{"b400", "c400"}, take())
	require.NoError(t, hold("s1", "d"))
	require.Equal(t, int64(401+2), b.Stats().WaitingBytes)
	tx, err := b.Begin(b.clock)
	require.NoError(t, err)
	require.Equal(t, Pass, tx.Route("s2", Running), "it does not wait again")
	tx.Abort()
	for key := range b.store.data {
		require.False(t, strings.HasPrefix(key, "h/00000002"), "what went on is deleted: %s", key)
	}
}

func short(w Waiting) string { return fmt.Sprintf("%c%d", w.Data[0], len(w.Data)) }

func TestOpenAsJSON(t *testing.T) {
	o := newOpen()
	o.Snapshots[snapshotKey{1, 2}] = snapshot{3, 4, 5}
	o.Scans["s"] = &scan{ID: "s", No: 7, Bytes: 8, scopes: map[uint32]struct{}{9: {}}}
	o.Closed = []closed{{1, 2, 3}}
	o.AnyTenant, o.NextScan, o.waitingBytes = true, 8, 8
	text, err := json.Marshal(&o)
	require.NoError(t, err)
	var back open
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, o, back, string(text))
}

// TestCrashesWithinCycles: pages are written slice by slice while batches go on, and a crash may come at any time.
func TestCrashesWithinCycles(t *testing.T) {
	const n = 3000
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 3))
		opts := options()
		opts.MaxLogBatches = 1 + r.Uint64N(12)
		b := newBench(t, opts)
		versions := make([]int, n)
		restarts, partly := 0, 0
		for step := range 1500 {
			var recs []record.Record
			var want []string
			for range 1 + r.IntN(40) {
				i := r.IntN(n)
				change := "unchanged"
				switch {
				case versions[i] == 0:
					versions[i], change = 1, "new*"
				case r.IntN(3) == 0:
					versions[i]++
					change = "changed*(description)"
				}
				want = append(want, change)
				recs = append(recs, finding(fmt.Sprintf("f-%d", i), fmt.Sprintf(`,"description":"version %d"`, versions[i])))
			}
			require.Equal(t, strings.Join(want, " "), b.see(recs...), "seed %d step %d", seed, step)
			if r.IntN(25) == 0 {
				if b.cycle.slice > 0 {
					partly++
				}
				b.restart()
				restarts++
			}
		}
		require.NoError(t, b.Close(t.Context()))
		known := 0
		for _, v := range versions {
			known += min(v, 1)
		}
		require.Equal(t, uint64(known), b.meta.Entries)
		require.Greater(t, b.meta.Pages, uint32(slicesOfPages))
		require.Positive(t, partly, "of %d restarts none was within a cycle", restarts)
		for key := range b.store.data {
			require.False(t, strings.HasPrefix(key, "w/"), key)
		}
	}
}

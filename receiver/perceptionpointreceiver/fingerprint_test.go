package perceptionpointreceiver

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/siempipe/siempipe/internal/test/fakes/perceptionpointapi"
	"github.com/siempipe/siempipe/internal/test/measure"
)

func TestFingerprintIsSmall(t *testing.T) {
	assert.Equal(t, 32, fingerprintBytes)
	assert.Equal(t, uintptr(32), unsafe.Sizeof(fingerprint{}))
	s := fingerprint{id: 1<<63 | 5, content: 7, codes: 0x31, checks: [numChecks]byte{1, 2, 3, 14: 255}}
	b := s.append(nil)
	assert.Len(t, b, fingerprintBytes)
	assert.Equal(t, s, readFingerprint(b))
}

func TestSee(t *testing.T) {
	const base = `{"full_scan_id":"X_1_a","id":5,"verbose_verdict":"SUS","verbose_action":"Delivered","new_field":1,"sample":{"subject":"a","last_action":null,"pe_icon_link":"x"},"root_scan_summary":{"is_fn":false}}`
	g := newFingerprinter([]string{defaultIgnored, "volatile", "other.part"})
	before := g.fingerprint(base)
	assert.Equal(t, before, g.fingerprint(base), "it is stable")
	assert.Equal(t, before.id, g.fingerprint(`{"full_scan_id":"X_1_a"}`).id)
	assert.NotEqual(t, before.id, g.fingerprint(`{"id":5}`).id)
	assert.Equal(t, g.fingerprint(`{"id":5}`).id, g.fingerprint(`{"id":"5","x":1}`).id)
	tests := map[string]struct{ old, new, want string }{
		"verdict":             {`"SUS"`, `"MAL"`, `{"fields":["verbose_verdict"],"previous":{"Verdict":"SUS"}}`},
		"unknown verdict":     {`"SUS"`, `"NEW"`, `{"fields":["verbose_verdict"],"previous":{"Verdict":"SUS"}}`},
		"action":              {`"Delivered"`, `"Quarantined"`, `{"fields":["verbose_action"],"previous":{"Action":"Delivered"}}`},
		"verdict of the root": {`"is_fn":false`, `"is_fn":false,"verbose_verdict":"MAL"`, `{"fields":["root_scan_summary"],"previous":{"Verdict":"SUS"}}`},
		"verdict and action":  {`"SUS","verbose_action":"Delivered"`, `"MAL","verbose_action":"Quarantined"`, `{"fields":["verbose_verdict","verbose_action"],"previous":{"Verdict":"SUS","Action":"Delivered"}}`},
		"last action":         {`"last_action":null`, `"last_action":"release"`, `{"fields":["sample.last_action"]}`},
		"rest of the sample":  {`"subject":"a"`, `"subject":"b"`, `{"fields":["sample"]}`},
		"an unknown field":    {`"new_field":1`, `"new_field":2`, `{"fields":["other"]}`},
		"a field more":        {`"new_field":1`, `"new_field":1,"newer":2`, `{"fields":["other"]}`},
		"a field less":        {`"new_field":1,`, ``, `{"fields":["other"]}`},
		"sample is no object": {`{"subject":"a","last_action":null,"pe_icon_link":"x"}`, `7`, `{"fields":["sample.last_action","sample"]}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			raw := strings.Replace(base, test.old, test.new, 1)
			require.NotEqual(t, base, raw)
			now := g.fingerprint(raw)
			assert.Equal(t, before.id, now.id)
			assert.NotEqual(t, before.content, now.content)
			out := withChange(raw, &before, &now)
			assert.JSONEq(t, test.want, changeOf(t, out))
			assert.True(t, strings.HasPrefix(out, strings.TrimSuffix(raw, "}")))
		})
	}
	for name, raw := range map[string]string{
		"link":         strings.Replace(base, `"pe_icon_link":"x"`, `"pe_icon_link":"y"`, 1),
		"ignored":      strings.Replace(base, `{`, `{"volatile":1,`, 1),
		"ignored part": strings.Replace(base, `{`, `{"other":{"part":9},`, 1),
		"order":        strings.Replace(base, `"full_scan_id":"X_1_a","id":5`, `"id":5,"full_scan_id":"X_1_a"`, 1),
	} {
		assert.Equal(t, before.content, g.fingerprint(raw).content, name)
	}
	own := strings.Replace(base, `"new_field":1`, `"change":{"by":"vendor"}`, 1)
	now := g.fingerprint(own)
	assert.Contains(t, withChange(own, &before, &now), `"change":{"by":"vendor"}`)
	assert.Contains(t, withChange(own, &before, &now), `"siem_change":{"fields":["other"]`)
	escaped := strings.Replace(own, `"change"`, `"\u0063hange"`, 1)
	assert.Contains(t, withChange(escaped, &before, &now), `"siem_change":{"fields":["other"]`)
	subject := strings.Replace(base, `"new_field":1`, `"new_field":"change"`, 1)
	now = g.fingerprint(subject)
	assert.Contains(t, withChange(subject, &before, &now), `"change":{"fields":["other"]`)
}

// FuzzSee: whatever the API sends is seen the same again, and its change is JSON where the scan is.
func FuzzSee(f *testing.F) {
	f.Add(perceptionpointapi.Scan(1, time.Unix(1700000000, 0), "SUS").Body)
	f.Add(`{"id":null,"sample":[],"root_scan_summary":{"verbose_verdict":7}}`)
	f.Add(`{ }`)
	f.Add("{\"id\":\"\xff\"}")
	f.Add(`"{"`)
	f.Add(`}`)
	f.Add(`}{`)
	g := newFingerprinter([]string{defaultIgnored})
	f.Fuzz(func(t *testing.T, raw string) {
		now := g.fingerprint(raw)
		if now != g.fingerprint(raw) {
			t.Fatal("not stable")
		}
		if readFingerprint(now.append(nil)) != now {
			t.Fatal("not stored whole")
		}
		before := fingerprint{id: now.id, content: now.content + 1, codes: 0xff}
		out := withChange(raw, &before, &now)
		var object map[string]any
		if json.Unmarshal([]byte(raw), &object) != nil || object == nil || g.fingerprint(out).id == g.fingerprint(out).content {
			return
		}
		if err := json.Unmarshal([]byte(out), &object); err != nil || object["change"] == nil && object["siem_change"] == nil {
			t.Fatalf("%q becomes %q: %v", raw, out, err)
		}
	})
}

func TestMemory(t *testing.T) {
	m := newMemory(60, 1000)
	for i := range uint64(300) { // five minutes, one a second
		m.put(fingerprint{id: i, content: 1}, int64(i))
	}
	assert.Equal(t, 300, m.n)
	assert.Len(t, m.buckets, 5)
	for i := range uint64(300) {
		s, ok := m.get(i)
		require.True(t, ok, i)
		require.Equal(t, uint64(1), s.content)
	}
	_, ok := m.get(300)
	assert.False(t, ok)
	m.put(fingerprint{id: 7, content: 2}, 250) // changed
	s, _ := m.get(7)
	assert.Equal(t, uint64(2), s.content, "the last fingerprint counts")
	m.put(fingerprint{id: 8, content: 2}, 10) // a clock that went back
	assert.Len(t, m.buckets, 5, "closed buckets stay closed")

	dropped, early := m.expire(119)
	assert.Len(t, dropped, 1, "second 119 belongs to the second bucket")
	assert.Zero(t, early)
	s, ok = m.get(7)
	assert.True(t, ok && s.content == 2, "it changed later")
	_, ok = m.get(9)
	assert.False(t, ok)

	m.max = 100
	dropped, early = m.expire(0)
	assert.Equal(t, 300+2-60-m.n, early)
	assert.NotEmpty(t, dropped)
	assert.LessOrEqual(t, m.n, 100)
}

// What a page stores is bounded, and what is stored is what is remembered.
func TestCheckpoint(t *testing.T) {
	d := newDisk()
	client, err := d.GetClient(t.Context(), component.KindReceiver, diskID, "x")
	require.NoError(t, err)
	store := checkpoint{client: client}
	m := newMemory(60, 1<<20)
	st := state{Cursor: 1}
	for page := range 100 {
		added := map[*bucket][]fingerprint{}
		for i := range uint64(20) {
			s := fingerprint{id: uint64(page)*20 + i, content: i}
			b := m.put(s, int64(page*2))
			added[b] = append(added[b], s)
		}
		st.Cursor++
		require.NoError(t, store.save(t.Context(), &st, m, update{added: added}))
		for key, value := range d.data {
			require.LessOrEqual(t, len(value), 4+blockFingerprints*fingerprintBytes, key)
		}
	}
	again := newMemory(60, 1<<20)
	loaded, found, torn, err := store.load(t.Context(), again)
	require.NoError(t, err)
	assert.True(t, found)
	assert.Zero(t, torn)
	assert.Equal(t, st, loaded)
	assert.Equal(t, m.n, again.n)
	for i := range uint64(2000) {
		want, _ := m.get(i)
		got, ok := again.get(i)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	// It goes on in the last block after a restart.
	b := again.put(fingerprint{id: 5000}, 198)
	require.NoError(t, store.save(t.Context(), &loaded, again, update{added: map[*bucket][]fingerprint{b: {{id: 5000}}}}))
	third := newMemory(60, 1<<20)
	_, _, _, err = store.load(t.Context(), third)
	require.NoError(t, err)
	assert.Equal(t, m.n+1, third.n)

	dropped, _ := third.expire(1 << 40)
	require.NoError(t, store.save(t.Context(), &loaded, third, update{dropped: dropped}))
	blocks := 0
	for key := range d.data {
		if strings.Contains(key, "seen/") {
			blocks++
		}
	}
	assert.Equal(t, third.buckets[0].blocks, blocks, "what is dropped is deleted")
}

func BenchmarkSee(b *testing.B) {
	raw := perceptionpointapi.Scan(1, time.Unix(1700000000, 0), "SUS").Body
	g := newFingerprinter([]string{defaultIgnored})
	want := g.fingerprint(raw)
	if want.verdict() != "SUS" || want.action() != "Delivered" {
		b.Fatalf("%+v", want)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		g.fingerprint(raw)
	}
}

// BenchmarkMemory looks a scan up among as many as a busy day has.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{76_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := newMemory(75, 1<<30)
			for i := range n {
				m.put(fingerprint{id: uint64(i) * 0x9E3779B97F4A7C15}, int64(i)*600/int64(n))
			}
			if m.n != n {
				b.Fatal(m.n)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := m.get(uint64(i%n) * 0x9E3779B97F4A7C15); !ok {
					b.Fatal(i)
				}
				i++
			}
		})
	}
}

// TestTenMillionScans keeps a day of ten million scans with an overlap of a day, in memory and on the disk. It takes a minute:
//
//	SIEMPIPE_LONG=1 go test -run TenMillion -v ./receiver/perceptionpointreceiver
func TestTenMillionScans(t *testing.T) {
	if os.Getenv("SIEMPIPE_LONG") == "" {
		t.Skip("set SIEMPIPE_LONG=1")
	}
	const perDay, page, overlap = 10_000_000, 500, 24 * 60 * 60
	dir := t.TempDir()
	extension, err := filestorage.NewFactory().Create(t.Context(), extensiontest.NewNopSettings(filestorage.NewFactory().Type()),
		&filestorage.Config{Directory: dir, Timeout: time.Second, Compaction: &filestorage.CompactionConfig{Directory: dir}})
	require.NoError(t, err)
	client, err := extension.(storage.Extension).GetClient(t.Context(), component.KindReceiver, diskID, "")
	require.NoError(t, err)
	store := checkpoint{client: client}
	before := measure.Heap()
	m := newMemory(bucketWidth(overlap*time.Second), perDay*2)
	var st state
	began, most := time.Now(), uint64(0)
	for i := 0; i < perDay*5/4; i += page { // thirty hours
		now := int64(i) * overlap / perDay
		added := map[*bucket][]fingerprint{}
		for k := range page {
			s := fingerprint{id: uint64(i+k) * 0x9E3779B97F4A7C15, content: 1}
			b := m.put(s, now)
			added[b] = append(added[b], s)
		}
		dropped, early := m.expire(now - overlap)
		require.Zero(t, early)
		require.NoError(t, store.save(t.Context(), &st, m, update{added: added, dropped: dropped}))
		if i%(perDay/10) == 0 {
			most = max(most, measure.Heap()-before)
		}
	}
	most = max(most, measure.Heap()-before)
	took := time.Since(began)
	assert.Less(t, m.n, perDay*11/10)
	var size int64
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, file := range files {
		info, err := file.Info()
		require.NoError(t, err)
		size += info.Size()
	}
	began = time.Now()
	again := newMemory(1, perDay*2)
	_, found, torn, err := store.load(t.Context(), again)
	require.NoError(t, err)
	assert.True(t, found)
	assert.Zero(t, torn)
	assert.Equal(t, m.n, again.n)
	t.Logf("%d scans remembered in %d MB of heap at most and %d MB of file; %d pages written in %v; read again in %v",
		m.n, most>>20, size>>20, perDay*5/4/page, took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	assert.Less(t, most, uint64(600<<20))
}

// A longer overlap makes wider buckets; those of before keep their width until they expire.
func TestCheckpointOfAnotherOverlap(t *testing.T) {
	const now = 1_700_000_000
	d := newDisk()
	client, err := d.GetClient(t.Context(), component.KindReceiver, diskID, "x")
	require.NoError(t, err)
	store := checkpoint{client: client}
	var st state
	m := newMemory(60, 1<<20)
	put := func(id uint64, end int64) {
		s := fingerprint{id: id, content: 1}
		require.NoError(t, store.save(t.Context(), &st, m, update{added: map[*bucket][]fingerprint{m.put(s, end): {s}}}))
	}
	for i := range uint64(10) {
		put(i, now+60*int64(i))
	}
	// As versions before wrote it: the buckets have no width of their own.
	text, err := client.Get(t.Context(), stateKey)
	require.NoError(t, err)
	old := strings.ReplaceAll(string(text), ",60]", "]")
	require.Equal(t, len(text)-10*len(",60"), len(old))
	require.NoError(t, client.Set(t.Context(), stateKey, []byte(old)))

	m = newMemory(3600, 1<<20)
	_, _, torn, err := store.load(t.Context(), m)
	require.NoError(t, err)
	require.Zero(t, torn)
	for i := uint64(10); i < 200; i++ {
		put(i, now+60*int64(i))
	}
	assert.Less(t, len(m.buckets), 10+5)
	m = newMemory(3600, 1<<20)
	_, _, torn, err = store.load(t.Context(), m)
	require.NoError(t, err)
	require.Zero(t, torn)
	for i := range uint64(200) {
		_, ok := m.get(i)
		require.True(t, ok, i)
	}
	m.expire(now + 570) // the narrow bucket of 9 ends ten seconds later
	_, ok := m.get(0)
	assert.False(t, ok)
	_, ok = m.get(9)
	assert.True(t, ok)
}

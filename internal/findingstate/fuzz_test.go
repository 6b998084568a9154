package findingstate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// FuzzFinding: any object is decided about without harm, the same one again is no news, and one with another member is.
func FuzzFinding(f *testing.F) {
	for _, seed := range []string{
		`{"alert_id":"f-1","severity":"High","labels":["a"],"resolved":true}`, `{"alert_id":"f-1","status":"dismissed"}`,
		`{"snoozed_until":"2026-03-05T00:00:00Z","description":"\u0041"}`, `{}`, `{"a":1,"a":2}`, `{"":{"x":[]}}`, `{"dismissed":"FALSE"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		b := newBench(t, options())
		o := b.NewObserver()
		rec := record.Record{Body: body, ID: "f-1", TenantID: "id-1", EventType: record.Other, Format: "panoptica"}
		see := func() (obs Observation, err error) {
			if err := o.Observe(&rec, "", &obs); err != nil {
				return obs, err
			}
			tx, err := b.Begin(b.clock)
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.Load(t.Context(), []*Observation{&obs}); err != nil {
				t.Fatal(err)
			}
			tx.Decide(&obs)
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			return obs, nil
		}
		first, err := see()
		if err != nil {
			return
		}
		b.wait(time.Second)
		b.restart()
		o = b.NewObserver()
		again, err := see()
		if err != nil || again.Emit {
			t.Fatalf("again: %v %+v", err, again)
		}
		if !first.Emit || first.event || jsonscan.Valid(body) != nil { // no JSON comes from the siem processor
			return
		}
		rec.Body = strings.TrimRight(body, " \t\r\n")
		rec.Body = rec.Body[:len(rec.Body)-1]
		if members, _, _ := jsonscan.Members(nil, body); len(members) > 0 {
			rec.Body += ","
		}
		rec.Body += `"one more":1}`
		if third, err := see(); err != nil || !third.Emit || third.Change != Changed || len(third.Fields) == 0 {
			t.Fatalf("with one more: %v %+v", err, third)
		}
	})
}

// FuzzMembers: of an object that is right, the members are those that a scan finds.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, `{"a":"x\"y","b":[{"c":"]}"}],"d":{"e":null},"f":true,"\u0041":-1.5e3}`, ` {"a" : 1}`, `{"a":1}x`, `{"a":1,}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, _, err := jsonscan.Members(nil, s)
		got, gotErr := members(nil, s)
		if err == nil && (gotErr != nil || !slices.Equal(want, got)) {
			t.Fatalf("%q: %v\nwant %+v\ngot  %+v", s, gotErr, want, got)
		}
	})
}

// FuzzDamage: whatever a page, the log or the open scans hold, reading it does no harm; at worst the state refuses to start.
func FuzzDamage(f *testing.F) {
	b := newBench(f, options())
	b.see(finding("f-1", ""), finding("f-2", `,"x":1`))
	if err := b.Close(f.Context()); err != nil {
		f.Fatal(err)
	}
	b.see(finding("f-3", ""), finding("f-1", ""), event("f-4", `,"status":"dismissed"`))
	whole := b.store
	for key := range whole.data {
		f.Add(key, whole.data[key])
	}
	f.Add("w/000000000001", []byte("\x01\x00\x00\x00\x00\x00\x00\x00\x00\x05{\"scans\":[{\"id\":\"s\",\"next\":3}],\"closed\":[{}]}"))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		b := &bench{t: t, store: whole.clone(), opts: options(), clock: start.Add(time.Hour)}
		b.store.data[key] = value
		if strings.HasPrefix(key, "p/") { // as if the checksum were right
			b.store.data[key] = sealPage(append(make([]byte, pageHeader), value...))
		}
		var err error
		if b.Tracker, err = Open(t.Context(), b.store, b.opts); err != nil {
			return
		}
		b.see(finding("f-1", ""), finding("f-9", ""))
		b.tick()
		for range 3 {
			tx, err := b.Begin(b.clock)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := tx.Discard(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, _, err := tx.NextReleased(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := b.see(finding("f-9", "")); got == "new*" {
			t.Fatal("forgotten")
		}
	})
}

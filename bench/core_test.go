package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/record"
)

// picked are the fields that a component which only routes findings would read.
var picked = []string{
	"alert_id", "asset_id", "provider", "resolved", "severity", "tenant_id", "account_id", "resource_type", "risk_category",
	"detection_type", "attack_scenario", "detection_timestamp",
}

// BenchmarkCore is case F: the core of the siem processor on one finding of 1.1 KB, beside fastjson picking twelve fields
// of it. The core checks the text, the schema and the disposition and makes the record; it may cost 1.2 times as much and
// may not allocate.
func BenchmarkCore(b *testing.B) {
	line := shape{bytes: 1135, accounts: 50}.appendFinding(nil, 7)
	raw := string(line[:len(line)-1])
	now := time.Now()

	b.Run("siem", func(b *testing.B) {
		p, err := process.New(process.Options{
			Parsing: format.Options{Format: "panoptica"},
			Exclude: process.Exclude{Dismissed: true, Snoozed: true},
		})
		require.NoError(b, err)
		text := process.Text{Raw: raw, Context: format.Context{Received: now}}
		one := func() (rec record.Record) {
			p.Start(&text)
			for out := p.Next(); out != nil; out = p.Next() {
				p.Decide(out, nil, now)
				if out.Dropped != "" {
					b.Fatal(out.Dropped)
				}
				rec = out.Record
			}
			return rec
		}
		rec := one()
		require.Equal(b, record.SecurityFinding, rec.EventType, rec.Error)
		require.Equal(b, raw, rec.Body)
		require.NotEmpty(b, rec.ID)
		require.False(b, rec.Time.IsZero())
		require.Zero(b, testing.AllocsPerRun(100, func() { one() }))
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			p.Start(&text)
			for out := p.Next(); out != nil; out = p.Next() {
				if p.Decide(out, nil, now); out.Dropped != "" {
					b.Fatal(out.Dropped)
				}
			}
		}
	})
	b.Run("fastjson", func(b *testing.B) {
		var parser fastjson.Parser
		pick := func() (n int) {
			v, err := parser.Parse(raw)
			if err != nil {
				b.Fatal(err)
			}
			for _, name := range picked {
				if v.Get(name) != nil {
					n++
				}
			}
			return n
		}
		require.Equal(b, len(picked), pick())
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			pick()
		}
	})
}

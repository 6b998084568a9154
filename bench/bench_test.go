package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
)

// TestFindings: generated findings are valid, of the size they are meant to have, and belong to as many accounts.
func TestFindings(t *testing.T) {
	parser, err := format.NewParser(format.Options{Format: "panoptica"})
	require.NoError(t, err)
	for _, size := range []int{300, 1135, 64_000} {
		testFindings(t, parser, shape{records: 2000, bytes: size, accounts: 50})
	}
	assert.Equal(t, "500000 records, 1.1 KB, 50 accounts", shape{records: 500_000, bytes: 1135, accounts: 50}.String())
}

func testFindings(t *testing.T, parser *format.Parser, s shape) {
	accounts, ids := map[string]bool{}, map[string]bool{}
	for i := range s.records {
		line := s.appendFinding(nil, i)
		require.InDelta(t, s.bytes, len(line), 2)
		require.True(t, json.Valid(line), string(line))
		var rec record.Record
		parser.Parse(string(line), "", testTime, &rec)
		require.Equal(t, record.SecurityFinding, rec.EventType, rec.Error)
		accounts[rec.AccountID], ids[rec.ID] = true, true
		require.Equal(t, line, s.appendFinding(nil, i), "the same again")
	}
	assert.Len(t, accounts, s.accounts)
	assert.Len(t, ids, s.records)
}

func TestBatches(t *testing.T) {
	bodies, err := otlp.bodies(shape{records: 2500, bytes: 800, accounts: 3})
	require.NoError(t, err)
	assert.Len(t, bodies, 3)
	bodies, err = ndjson.bodies(shape{records: 2500, bytes: 800, accounts: 3})
	require.NoError(t, err)
	assert.Equal(t, 500, strings.Count(string(bodies[2]), "\n"))
}

func TestSkipFrame(t *testing.T) {
	long := strings.Repeat("x", 5000)
	r := bufio.NewReaderSize(strings.NewReader("<1>one\n3 two5003 <2>x"+long[:4999]+"<3>"+long+"\n4 fo"), 16)
	for i := range 4 {
		require.NoError(t, skipFrame(r), i)
	}
	require.ErrorIs(t, skipFrame(r), io.ErrUnexpectedEOF)
	require.Equal(t, io.EOF, skipFrame(r))
	require.Error(t, skipFrame(bufio.NewReader(strings.NewReader("12x4 "))))
}

func TestTable(t *testing.T) {
	many := func(cpu float64, rss int64) (all []figures) {
		for _, f := range []float64{1.5, 1, 0.5} {
			all = append(all, figures{wall: 1e9, cpu: timeOf(cpu * f), rss: rss << 20, records: 1_000_000})
		}
		return all
	}
	r := results{
		"ours-s3.yaml": many(6, 100), "anchor-raw-s3.yaml": many(5, 400), "anchor-parsed-s3.yaml": many(60, 300),
	}
	table := r.table(shape{records: 1_000_000, bytes: 1135, accounts: 50}, 3)
	assert.Contains(t, table, "| A | file_log → siem → panoptica_s3 | 1000000 | 6.00 | 100 | **1.20** | **0.25** | CPU ≤ 1: missed by 20 %; RSS ≤ 0.5: met |")
	assert.Contains(t, table, "| B | as A | 1000000 | 6.00 | 100 | **0.10** | **0.33** | CPU ≤ 0.12: met |")
	assert.NotContains(t, table, "| C |", "what was not measured is not there")

	path := filepath.Join(t.TempDir(), "README.md")
	require.NoError(t, os.WriteFile(path, []byte("before\n"+tableBegin+"old\n"+tableEnd+"after\n"), 0o600))
	require.NoError(t, replaceTable(path, "new\n"))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "before\n"+tableBegin+"\nnew\n\n"+tableEnd+"after\n", string(text))
	require.NoError(t, os.WriteFile(path, []byte("nothing"), 0o600))
	require.Error(t, replaceTable(path, "new\n"))
}

func TestFastestOf(t *testing.T) {
	out := []byte("goos: linux\nBenchmarkX/a-2 \t 100 \t 1500 ns/op \t 20.5 MB/s \t 3 B/op \t 1 allocs/op\nBenchmarkX/a-2 100 1200 ns/op 1 B/op 2 allocs/op\nPASS\n")
	got, err := fastestOf("BenchmarkX/a", out)
	require.NoError(t, err)
	assert.Equal(t, timing{nanos: 1200, allocs: 2}, got)
	got, err = fastestOf("BenchmarkZ", []byte("BenchmarkZ-2 10 15000 ns/op 95.0 cpu-ns/record 99 ns/record 3 allocs/op\n"))
	require.NoError(t, err)
	assert.Equal(t, timing{nanos: 95, allocs: 3}, got, "of many records")
	_, err = fastestOf("BenchmarkY", out)
	require.ErrorContains(t, err, "BenchmarkY")
}

func TestProcess(t *testing.T) {
	_, err := cpuTime(os.Getpid())
	require.NoError(t, err)
	rss, err := peakRSS(os.Getpid())
	require.NoError(t, err)
	assert.Greater(t, rss, int64(1<<20))
	_, err = cpuTime(1 << 30)
	require.Error(t, err)
}

var testTime = time.Unix(1_800_000_000, 0)

func timeOf(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// micro is a comparison of two Go benchmarks of one package.
type micro struct {
	name, what, pkg string
	ours, theirs    string // benchmarks
	target          float64
}

var micros = []micro{
	{name: "E", what: "Fluent Bit plugin, chunk of structured findings → checked records, as they go into an object | fluent-bit-go's decoder and encoding/json, to JSON only", pkg: "./fluentbit/plugin", ours: "BenchmarkChunk/map", theirs: "BenchmarkLibraryToJSON/map", target: 0.1},
	{name: "E", what: "the same with the object, its SHA-256 and the delivery | the same, to JSON only", pkg: "./fluentbit/plugin", ours: "BenchmarkFlush/map", theirs: "BenchmarkLibraryToJSON/map", target: 0.1},
	{name: "F", what: "siem core, one finding of 1.1 KB | fastjson picking 12 fields", pkg: "./bench", ours: "BenchmarkCore/siem", theirs: "BenchmarkCore/fastjson", target: 1.2},
}

// microTable runs the benchmarks of a case and compares the fastest of several short runs: what else the machine does can
// only make a run slower.
func (r *runner) microTable(ctx context.Context, names []string) (string, error) {
	var b strings.Builder
	for _, m := range micros {
		if !slices.Contains(names, m.name) {
			continue
		}
		ours, err := fastest(ctx, r.root, m.pkg, m.ours)
		if err != nil {
			return "", err
		}
		theirs, err := fastest(ctx, r.root, m.pkg, m.theirs)
		if err != nil {
			return "", err
		}
		ratio := ours.nanos / theirs.nanos
		verdict := fmt.Sprintf("≤ %.2g: met", m.target)
		if ratio > m.target {
			verdict = fmt.Sprintf("≤ %.2g: missed by %.0f %%", m.target, 100*(ratio/m.target-1))
		}
		fmt.Fprintf(&b, "| %s | %s | %.0f | %.0f | %.2f | %.0f | %s |\n", m.name, m.what, ours.nanos, theirs.nanos, ratio, ours.allocs, verdict)
	}
	if b.Len() == 0 {
		return "", nil
	}
	return "| case | ours | beside | ns a record | ns beside | ratio | allocations | target |\n|---|---|---|---:|---:|---:|---:|---|\n" + b.String(), nil
}

// timing is a line of a benchmark's output.
type timing struct{ nanos, allocs float64 }

func fastest(ctx context.Context, root, pkg, name string) (timing, error) {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = "^" + parts[i] + "$"
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", strings.Join(parts, "/"), "-benchtime", "50ms", "-count", "20", pkg)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return timing{}, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return fastestOf(name, out)
}

// fastestOf reads the output of go test -bench.
func fastestOf(name string, out []byte) (timing, error) {
	var best timing
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], name) {
			continue
		}
		var t timing
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return best, fmt.Errorf("%s: %q: %w", name, lines.Text(), err)
			}
			switch fields[i+1] {
			case "ns/op":
				if t.nanos == 0 {
					t.nanos = v
				}
			case "cpu-ns/record": // of a benchmark of many records: the collector of garbage counts too
				t.nanos = v
			case "allocs/op":
				t.allocs = v
			}
		}
		if best.nanos == 0 || t.nanos < best.nanos {
			best = t
		}
	}
	if best.nanos == 0 {
		return best, fmt.Errorf("%s: no benchmark of that name", name)
	}
	return best, nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// The table is between these lines of the README.
const (
	tableBegin = "<!-- make bench: begin -->\n"
	tableEnd   = "<!-- make bench: end -->\n"
)

func median[T int64 | float64](values []T) T {
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

func medianOf(all []figures, of func(figures) float64) float64 {
	var values []float64
	for _, f := range all {
		values = append(values, of(f))
	}
	return median(values)
}

func rssMB(f figures) float64 { return float64(f.rss) / (1 << 20) }

// table is the comparison as Markdown: medians over the rounds, and ratios of the medians.
func (r results) table(sh shape, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, medians of %d rounds, interleaved; %d cores (%s), %s.\n\n", sh, rounds, runtime.NumCPU(), runtime.GOARCH, time.Now().UTC().Format(time.DateOnly))
	b.WriteString("| case | pipeline | records/s | CPU-s per million | peak RSS MB | CPU ratio | RSS ratio | target |\n|---|---|---:|---:|---:|---:|---:|---|\n")
	for _, c := range comparisons {
		ours, theirs := r[c.oursSetup.config], r[c.anchorSetup.config]
		if len(ours) == 0 || len(theirs) == 0 {
			continue
		}
		row := func(name, pipeline string, all []figures, rest string) {
			fmt.Fprintf(&b, "| %s | %s | %.0f | %.2f | %.0f | %s |\n", name, pipeline,
				medianOf(all, figures.perSecond), medianOf(all, figures.cpuPerMillion), medianOf(all, rssMB), rest)
		}
		cpu := medianOf(ours, figures.cpuPerMillion) / medianOf(theirs, figures.cpuPerMillion)
		rss := medianOf(ours, rssMB) / medianOf(theirs, rssMB)
		row(c.name, c.ours, ours, fmt.Sprintf("**%.2f** | **%.2f** | %s", cpu, rss, c.verdict(cpu, rss)))
		row("", "theirs: "+c.theirs, theirs, "1 | 1 | ")
	}
	return b.String()
}

// verdict says whether the ratios meet the targets, and if not by how much.
func (c *comparison) verdict(cpu, rss float64) string {
	var parts []string
	add := func(name string, got, want float64) {
		if want == 0 {
			return
		}
		text := fmt.Sprintf("%s ≤ %g: met", name, want)
		if got > want {
			text = fmt.Sprintf("%s ≤ %g: missed by %.0f %%", name, want, 100*(got/want-1))
		}
		parts = append(parts, text)
	}
	add("CPU", cpu, c.cpuTarget)
	add("RSS", rss, c.rssLimit)
	return strings.Join(parts, "; ")
}

// sweep is the cost of ours as count, accounts and size of the records change.
func (r *runner) sweep(ctx context.Context) (string, error) {
	var b strings.Builder
	b.WriteString("Case G: `file_log → siem → panoptica_s3` over counts, accounts and sizes.\n\n")
	b.WriteString("| records | accounts | record | CPU-s per million | CPU-s per GB | peak RSS MB |\n|---:|---:|---:|---:|---:|---:|\n")
	for _, sh := range []shape{
		{100_000, 1135, 50}, {1_000_000, 1135, 50}, {10_000_000, 1135, 50},
		{500_000, 1135, 1}, {500_000, 1135, 1000}, {500_000, 1135, 10_000},
		{1_000_000, 300, 50}, {200_000, 4000, 50}, {100_000, 8000, 50}, {20_000, 64_000, 50},
	} {
		f, err := r.run(ctx, comparisons[0].oursSetup, sh, nil)
		if err != nil {
			return "", fmt.Errorf("%s: %w", sh, err)
		}
		line := fmt.Sprintf("| %d | %d | %d B | %.2f | %.2f | %.0f |\n", sh.records, sh.accounts, sh.bytes, f.cpuPerMillion(),
			f.cpu.Seconds()/(float64(sh.records)*float64(sh.bytes))*1e9, rssMB(f))
		fmt.Print(line)
		b.WriteString(line)
	}
	return b.String(), nil
}

// replaceTable puts a table between the markers of a file.
func replaceTable(path, table string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		return fmt.Errorf("%s: no lines %q and %q", path, tableBegin, tableEnd)
	}
	return os.WriteFile(path, []byte(before+tableBegin+"\n"+table+"\n"+tableEnd+after), 0o644)
}

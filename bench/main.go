// Command bench measures bin/siempipe against a collector of existing components on the same generated findings, and writes the
// table of bench/README.md. It is what `make bench` runs, at the root of the checkout. Linux only: it reads /proc.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 3, "how often each setup runs")
	records := flag.Int("records", 500_000, "findings of a run")
	size := flag.Int("bytes", 1135, "bytes of a finding")
	accounts := flag.Int("accounts", 50, "accounts that the findings belong to")
	only := flag.String("cases", "A,B,C,D,E,F", "which cases; G is the sweep over sizes and counts, which takes long")
	readme := flag.String("write", "", "file whose table is replaced; none prints only")
	profiles := flag.String("profiles", "", "folder for CPU profiles of A, C and D as text, instead of measuring")
	dir := flag.String("dir", "", "folder for inputs and the S3 server; a temporary one by default")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sh := shape{records: *records, bytes: *size, accounts: *accounts}
	if err := run(ctx, sh, *rounds, strings.Split(*only, ","), *readme, *profiles, *dir); err != nil {
		log.Fatalf("bench: %v", err)
	}
}

func run(ctx context.Context, sh shape, rounds int, only []string, readme, profiles, dir string) (err error) {
	r := &runner{dir: dir}
	if r.root, err = os.Getwd(); err != nil {
		return err
	}
	if r.dir == "" {
		if r.dir, err = os.MkdirTemp("", "siempipe-bench-*"); err != nil {
			return err
		}
		defer os.RemoveAll(r.dir)
	}
	if profiles != "" {
		return r.profile(ctx, sh, profiles)
	}
	results, err := r.measure(ctx, sh, rounds, only)
	if err != nil {
		return err
	}
	table := ""
	if len(results) > 0 {
		table = results.table(sh, rounds)
	}
	small, err := r.microTable(ctx, only)
	if err != nil {
		return err
	}
	table += "\n" + small
	if slices.Contains(only, "G") {
		sweep, err := r.sweep(ctx)
		if err != nil {
			return err
		}
		table += "\n" + sweep
	}
	fmt.Print("\n" + table)
	if readme == "" {
		return nil
	}
	return replaceTable(readme, table)
}

// results are the figures of each setup, by its configuration.
type results map[string][]figures

// measure runs every setup of the cases once in each round, ours and the anchor's in turn.
func (r *runner) measure(ctx context.Context, sh shape, rounds int, only []string) (results, error) {
	out := results{}
	for round := range rounds {
		done := map[string]bool{}
		for _, c := range comparisons {
			if !slices.Contains(only, c.name) {
				continue
			}
			for _, s := range []setup{c.oursSetup, c.anchorSetup} {
				if done[s.config] {
					continue
				}
				done[s.config] = true
				f, err := r.run(ctx, s, sh, nil)
				if err != nil {
					return nil, err
				}
				fmt.Printf("round %d  %-24s %8.0f records/s  %6.2f CPU-s/M  %4d MB\n", round+1, s.config, f.perSecond(), f.cpuPerMillion(), f.rss>>20)
				out[s.config] = append(out[s.config], f)
			}
		}
	}
	return out, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/harness"
)

// root is the first segment of every key, the exporter's default.
const root = "Panoptica"

// Names of the collector's own metrics, without _total.
const (
	metricDropped = "otelcol_processor_siem_records_dropped"
	metricInvalid = "otelcol_processor_siem_records_invalid"
	metricSent    = "otelcol_exporter_sent_log_records"
)

// outcome is what came out of the collector, and what was expected to.
type outcome struct {
	expected []harness.Expected
	objects  []harness.Object // of the whole directory, earlier runs included
	thisRun  []harness.Object // those that hold records of this run
	messages []string
	framing  []error
	metrics  harness.Metrics
}

// awaitRecords looks again and again until everything expected has arrived, or it has taken too long.
func awaitRecords(ctx context.Context, cfg config, collector *harness.Collector, listener *harness.Listener, posts []post) (*outcome, error) {
	o := &outcome{}
	for i := range posts {
		o.expected = append(o.expected, posts[i].expected...)
	}
	deadline := time.Now().Add(arriveTimeout)
	for {
		var err error
		if o.metrics, err = harness.Scrape("http://" + cfg.metrics + "/metrics"); err != nil {
			return nil, err
		}
		o.messages, o.framing = listener.Messages()
		if o.objects, err = harness.Tree(cfg.directory); err != nil {
			return nil, err
		}
		if len(o.problems()) == 0 || time.Now().After(deadline) {
			return o, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("interrupted")
		case <-collector.Done():
			return nil, errors.New("the collector has ended")
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// expectedCounts counts the expected records: those that are kept, those of them that are sent as messages, the dropped by reason
// and the invalid by format.
func (o *outcome) expectedCounts() (kept, sent int, dropped, invalid map[string]int) {
	dropped, invalid = map[string]int{}, map[string]int{}
	for i := range o.expected {
		e := &o.expected[i]
		if e.EventType == record.Invalid {
			invalid[e.Format]++
		}
		switch {
		case e.Dropped != "":
			dropped[e.Dropped]++
		case e.EventType == record.Invalid:
			kept++
		default:
			kept++
			sent++
		}
	}
	return kept, sent, dropped, invalid
}

// problems is what is not as expected (yet).
func (o *outcome) problems() []string {
	var problems []string
	o.thisRun, problems = harness.Compare(o.expected, o.objects, root, false)
	kept, sent, dropped, invalid := o.expectedCounts()
	if n := o.metrics.Sum(metricSent, "exporter", "panoptica_s3"); n != kept {
		problems = append(problems, fmt.Sprintf("panoptica_s3 delivered %d records, want %d", n, kept))
	}
	if n := len(o.messages); n != sent {
		problems = append(problems, fmt.Sprintf("the listener got %d pipe messages, want %d", n, sent))
	}
	for _, err := range o.framing {
		problems = append(problems, "pipe messages: "+err.Error())
	}
	problems = append(problems, differ("dropped", o.metrics.By(metricDropped, "reason"), dropped)...)
	return append(problems, differ("invalid", o.metrics.By(metricInvalid, "format"), invalid)...)
}

func differ(what string, got, want map[string]int) []string {
	var problems []string
	for _, key := range keys(got, want) {
		if got[key] != want[key] {
			problems = append(problems, fmt.Sprintf("%s %s: the collector counts %d, want %d", what, key, got[key], want[key]))
		}
	}
	return problems
}

func keys(maps ...map[string]int) []string {
	seen := map[string]bool{}
	var all []string
	for _, m := range maps {
		for key := range m {
			if !seen[key] {
				seen[key] = true
				all = append(all, key)
			}
		}
	}
	sort.Strings(all)
	return all
}

// print shows the tree of this run and the collector's own counts.
func (o *outcome) print(cfg config) {
	fmt.Printf("\n== Tree under %s\n", cfg.directory)
	var above []string
	for i := range o.thisRun {
		segments := o.thisRun[i].Segments()
		same := 0
		for same < len(above) && same < len(segments)-1 && above[same] == segments[same] {
			same++
		}
		for depth := same; depth < len(segments)-1; depth++ {
			fmt.Printf("%s%s/\n", strings.Repeat("  ", depth), segments[depth])
		}
		last := len(segments) - 1
		fmt.Printf("%s%s  records: %d\n", strings.Repeat("  ", last), segments[last], len(o.thisRun[i].Lines))
		above = segments[:last]
	}
	if n := len(o.objects) - len(o.thisRun); n > 0 {
		fmt.Printf("and %d files of earlier runs or other posts\n", n)
	}
	fmt.Println("\n== Counts, from the collector's own metrics")
	fmt.Printf("delivered to the tree      %d\n", o.metrics.Sum(metricSent, "exporter", "panoptica_s3"))
	fmt.Printf("pipe messages received     %d\n", len(o.messages))
	for reason, n := range sorted(o.metrics.By(metricDropped, "reason")) {
		fmt.Printf("dropped, %-17s %d\n", reason, n)
	}
	for format, n := range sorted(o.metrics.By(metricInvalid, "format")) {
		fmt.Printf("invalid, %-17s %d\n", format, n)
	}
}

func sorted(m map[string]int) func(yield func(string, int) bool) {
	return func(yield func(string, int) bool) {
		for _, key := range keys(m) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

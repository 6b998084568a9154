package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/siempipe/siempipe/internal/detect"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
)

// seen is what a rule did.
type seen struct{ matches, findings int }

// replay evaluates the rules on the records of a file and shows what would have fired.
func replay(out io.Writer, set *detect.RuleSet, path, name, logType string, verbose bool) error {
	in := os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	processor, err := process.New(process.Options{Parsing: format.Options{Format: name}})
	if err != nil {
		return err
	}
	detector := detect.NewDetector(detect.NewWindows(detect.Limits{}, time.Now))
	detector.Use(set)
	r := replayer{out: out, verbose: verbose, detector: detector, worker: detector.NewWorker(), rules: map[string]*seen{}}
	records, unread := 0, 0
	err = payload.Cut(in, payload.Options{Format: name}, func(item payload.Item) error {
		records++
		text := process.Text{Raw: item.Raw, Context: format.Context{Received: time.Now(), Fields: item.Fields}}
		if item.Err != nil {
			text.Broken = item.Err.Error()
		}
		processor.Start(&text)
		for o := processor.Next(); o != nil; o = processor.Next() {
			processor.Decide(o, nil, text.Received)
			switch rec := &o.Record; {
			case o.Dropped != "":
			case rec.EventType != record.Invalid:
				r.match(rec, item.Index+1)
			case logType != "" && o.Kind == process.Whole:
				raw := record.Record{Body: item.Raw, EventType: logType, Time: detect.EventTime(item.Raw), Received: text.Received}
				r.match(&raw, item.Index+1)
			default:
				if unread++; unread <= 5 {
					fmt.Fprintf(out, "record %d: %s\n", item.Index+1, rec.Error)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.summarize(records, unread)
	return nil
}

// replayer collects what the rules did.
type replayer struct {
	out      io.Writer
	verbose  bool
	detector *detect.Detector
	worker   *detect.Worker
	rules    map[string]*seen // by key
}

// match evaluates the rules on one record, the number-th of the file, and prints its findings.
func (r *replayer) match(rec *record.Record, number int) {
	matches := r.worker.Match(rec)
	if len(matches) == 0 {
		return
	}
	batch := r.detector.Begin()
	defer batch.Commit(nil)
	for i := range matches {
		m := &matches[i]
		s := r.rules[m.Rule.Key()]
		if s == nil {
			s = &seen{}
			r.rules[m.Rule.Key()] = s
		}
		s.matches++
		for _, e := range m.Errors {
			fmt.Fprintf(r.out, "record %d: %s: %s\n", number, m.Rule.Key(), e)
		}
		var finding record.Record
		if !batch.Add(m, &finding) {
			continue
		}
		s.findings++
		if r.verbose {
			fmt.Fprintln(r.out, finding.Body)
		} else {
			fmt.Fprintf(r.out, "%s  %-11s  %s  [%s, record %d]\n", finding.Time.UTC().Format(time.RFC3339), m.Level, m.Title, m.Rule.Key(), number)
		}
	}
}

// summarize prints what each rule did, the one with the most findings first.
func (r *replayer) summarize(records, unread int) {
	names := make([]string, 0, len(r.rules))
	findings := 0
	for name, s := range r.rules {
		names = append(names, name)
		findings += s.findings
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(r.rules[b].findings, r.rules[a].findings), cmp.Compare(a, b))
	})
	for _, name := range names {
		fmt.Fprintf(r.out, "%6d matches %6d findings  %s\n", r.rules[name].matches, r.rules[name].findings, name)
	}
	fmt.Fprintf(r.out, "%d records, %d could not be read; %d rules matched, %d findings\n", records, unread, len(names), findings)
}

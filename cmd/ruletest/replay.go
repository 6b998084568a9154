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
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
)

// seen is what a rule did.
type seen struct{ matches, findings int }

// replay holds the records of a file against the rules and shows what would have fired.
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
	parser, err := format.NewParser(format.Options{Format: name})
	if err != nil {
		return err
	}
	detector := detect.NewDetector(detect.NewWindows(detect.Limits{}, time.Now))
	detector.Use(set)
	worker := detector.NewWorker()
	rules := map[string]*seen{}
	records, unread := 0, 0
	err = payload.Cut(in, payload.Options{Format: name}, func(item payload.Item) error {
		records++
		var rec record.Record
		parser.ParseIn(item.Raw, format.Context{Received: time.Now(), Fields: item.Fields}, &rec)
		if rec.EventType == record.Invalid {
			if logType == "" {
				if unread++; unread <= 5 {
					fmt.Fprintf(out, "record %d: %s\n", item.Index+1, rec.Error)
				}
				return nil
			}
			rec = record.Record{Body: item.Raw, EventType: logType, Time: detect.EventTime(item.Raw), Received: time.Now()}
		}
		matches := worker.Match(&rec)
		if len(matches) == 0 {
			return nil
		}
		counting := detector.Begin()
		defer counting.Commit(nil)
		for i := range matches {
			m := &matches[i]
			s := rules[m.Rule.Key()]
			if s == nil {
				s = &seen{}
				rules[m.Rule.Key()] = s
			}
			s.matches++
			for _, e := range m.Errors {
				fmt.Fprintf(out, "record %d: %s: %s\n", item.Index+1, m.Rule.Key(), e)
			}
			var finding record.Record
			if !counting.Add(m, &finding) {
				continue
			}
			s.findings++
			if verbose {
				fmt.Fprintln(out, finding.Body)
			} else {
				fmt.Fprintf(out, "%s  %-11s  %s  [%s, record %d]\n", finding.Time.UTC().Format(time.RFC3339), m.Level, m.Title, m.Rule.Key(), item.Index+1)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	names := make([]string, 0, len(rules))
	findings := 0
	for name, s := range rules {
		names = append(names, name)
		findings += s.findings
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(rules[b].findings, rules[a].findings), cmp.Compare(a, b))
	})
	for _, name := range names {
		fmt.Fprintf(out, "%6d matches %6d findings  %s\n", rules[name].matches, rules[name].findings, name)
	}
	fmt.Fprintf(out, "%d records, %d could not be read; %d rules matched, %d findings\n", records, unread, len(names), findings)
	return nil
}

// Command ruletest checks detection rules: it reports errors by file and line, runs the tests inside the rules, and with -log shows
// which findings a file of records would have caused.
//
//	go run ./cmd/ruletest rules/*.yml
//	go run ./cmd/ruletest -log events.ndjson builtin my-rules/
//
// The exit status is 0 when every rule can be used and every test passes, 1 when not, 2 when the command line is wrong.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/siempipe/siempipe/internal/detect"
	"github.com/siempipe/siempipe/internal/detect/sigma"
	"github.com/siempipe/siempipe/rules"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("ruletest", flag.ContinueOnError)
	flags.SetOutput(errs)
	logFile := flags.String("log", "", "`file` of records: NDJSON, a vendor's envelope, lines of text; - is the standard input")
	format := flags.String("format", "auto", "source `format` of the records in -log")
	logType := flags.String("log-type", "", "log `type` of records in -log that are in no known format, such as AWS.CloudTrail")
	mapping := flags.String("mapping", "", "`file` with further log sources and fields")
	verbose := flags.Bool("v", false, "list every rule; with -log print every finding as JSON")
	flags.Usage = func() {
		fmt.Fprintln(errs, "usage: ruletest [flags] rule files, directories, globs or builtin ...")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return 2
	}
	patterns := flags.Args()
	if len(patterns) == 0 {
		patterns = []string{detect.BuiltinName}
	}
	loader := detect.Loader{Patterns: patterns, Mapping: *mapping, Builtin: rules.FS}
	set, problems, _, err := loader.Load()
	if err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	if *logFile != "" {
		report(out, problems)
		if err := replay(out, set, *logFile, *format, *logType, *verbose); err != nil {
			fmt.Fprintln(errs, err)
			return 2
		}
		return 0
	}
	return check(out, set, problems, *verbose)
}

// check runs the tests of all rules.
func check(out io.Writer, set *detect.RuleSet, problems []sigma.Problem, verbose bool) int {
	tests, failed, untested := 0, 0, 0
	for _, r := range set.Rules {
		n, failures, bad := set.RunTests(r)
		problems = append(problems, bad...)
		tests, failed = tests+n, failed+len(failures)
		if n == 0 && len(bad) == 0 {
			untested++
		}
		if verbose {
			verdict := "ok  "
			switch {
			case len(failures)+len(bad) > 0:
				verdict = "FAIL"
			case n == 0:
				verdict = "    "
			}
			fmt.Fprintf(out, "%s %s:%d: %s (%d tests)\n", verdict, r.File, r.Line, r.Title, n)
		}
		for i := range failures {
			fmt.Fprintf(out, "FAIL %s\n", failures[i].Error())
		}
	}
	broken := report(out, problems)
	fmt.Fprintf(out, "%d rules in force, %d without tests; %d tests, %d failed; %d left out or broken\n", len(set.Rules), untested, tests, failed, broken)
	if failed+broken > 0 {
		return 1
	}
	return 0
}

// report lists problems by file and line and returns how many leave a rule out.
func report(out io.Writer, problems []sigma.Problem) (broken int) {
	slices.SortStableFunc(problems, func(a, b sigma.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	for i := range problems {
		word := "BROKEN     "
		switch p := &problems[i]; {
		case p.Warning:
			word = "warning    "
		case p.Feature != "":
			word = "UNSUPPORTED"
			broken++
		default:
			broken++
		}
		fmt.Fprintf(out, "%s %s\n", word, problems[i].Error())
	}
	return broken
}

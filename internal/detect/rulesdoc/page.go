package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/siempipe/siempipe/internal/detect"
	"github.com/siempipe/siempipe/internal/sigma"
	"github.com/siempipe/siempipe/rules"
)

// intro is what no table says.
//
//go:embed intro.md
var intro string

// page is docs/detections.md.
func page() ([]byte, error) {
	loader := detect.Loader{Patterns: []string{detect.BuiltinName}, Builtin: rules.FS}
	set, problems, _, err := loader.Load()
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, &problems[0]
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(`<!-- Generated from internal/detect by "make generate". Do not edit. -->` + "\n")
	b.WriteString(strings.TrimSpace(intro) + "\n")

	line("\n## Named contexts\n")
	line("| context | member | field | when it is absent |\n|---|---|---|---|")
	for _, c := range detect.Contexts {
		for _, f := range c.Fields {
			absent := "left out"
			if f.HasDefault {
				absent = "`" + f.Default + "`"
			}
			line("| `%s` | `%s` | `%s` | %s |", c.Name, f.Name, f.Field, absent)
		}
	}

	mapping := sigma.Builtin()
	line("\n## Log sources\n")
	line("| `logsource` | `siem.event_type` |\n|---|---|")
	for _, s := range mapping.Sources() {
		line("| %s | %s |", s.Source, s.LogTypes)
	}
	line("\n## Fields\n")
	line("Names that a rule may write (case does not count) beside the names of the record itself. Tables hold for the log sources that begin alike;")
	line("what a table of a service does not have is looked up in that of its product.\n")
	line("| table | name | where it stands |\n|---|---|---|")
	for _, f := range mapping.Fields() {
		line("| %s | `%s` | %s |", f.Table, f.Name, f.Paths)
	}

	line("\n## Rules that are built in\n")
	line("%d rules. Each has its tests beside it in [rules/](../rules).\n", len(set.Rules))
	line("| rule | log source | level | threshold | window | what it finds |\n|---|---|---|---|---|---|")
	sorted := slices.Clone(set.Rules)
	slices.SortStableFunc(sorted, func(a, b *detect.Rule) int { return strings.Compare(a.Key(), b.Key()) })
	for _, r := range sorted {
		source := r.LogSource.String()
		if r.Correlation != nil {
			source = "matches of " + strings.Join(r.Correlation.Rules, ", ")
		}
		threshold, window := r.Window()
		line("| [%s](../rules/%s) | %s | %s | %s | %s | %s |", r.Key(), strings.TrimPrefix(r.File, detect.BuiltinName+"/"), source, r.Level, threshold, window, r.Description)
	}
	return []byte(b.String()), nil
}

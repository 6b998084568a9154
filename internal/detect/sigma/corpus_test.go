package sigma

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpusEnv names a directory of Sigma rules, such as rules/cloud of a checkout of SigmaHQ/sigma. They are under a licence
// of their own and are not part of this repository.
const corpusEnv = "SIGMA_RULES"

// TestCorpus loads every rule of SIGMA_RULES and evaluates each on records of its log types.
func TestCorpus(t *testing.T) {
	dir := os.Getenv(corpusEnv)
	if dir == "" {
		t.Skip("set " + corpusEnv + " to a directory of Sigma rules")
	}
	var entries []Entry
	files, broken := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yml") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		rules, problems := Parse(path, text)
		for _, p := range problems {
			if !p.Warning {
				broken++
			}
			t.Log(p.Error())
		}
		for _, r := range rules {
			entries = append(entries, Entry{Rule: r})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mapping := Builtin()
	mapped := 0
	types := map[string]bool{}
	for _, e := range entries {
		list := mapping.LogTypes(e.Rule.LogSource)
		if len(list) > 0 {
			mapped++
		} else if e.Rule.Correlation == nil {
			t.Logf("%s: log source %s is not mapped", e.Rule.File, e.Rule.LogSource)
		}
		for _, logType := range list {
			types[logType] = true
		}
	}
	engine := NewEngine(entries, mapping)
	m := engine.NewMatcher()
	for logType := range types {
		p := engine.plan(logType)
		if p == nil {
			continue
		}
		for _, body := range []string{`{}`, cloudTrailEvent, `{"operationName":"x","properties":{"a":[{"b":null}]}}`} {
			m.Match(logType, body)
			for i := range p.rules { // not only those that the index finds
				m.fill()
				m.holds(p.rules[i].expr)
			}
		}
		t.Logf("%s: %d rules, %d of them on every record, %d fields, %d tests", logType, len(p.rules), len(p.always), len(p.fields), len(p.tests))
	}
	t.Logf("%d files, %d rules, %d with a known log source, %d problems", files, len(entries), mapped, broken)
	if broken > 0 {
		t.Errorf("%d problems", broken)
	}
}

package detect

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/siempipe/siempipe/internal/detect/sigma"
)

// BuiltinName is the word for the rules that are built in, and the beginning of their files' names.
const BuiltinName = "builtin"

// Limits of rule files.
const (
	maxRuleFile  = 4 << 20
	maxRuleFiles = 20_000
)

// Loader reads rules from files and reads them again when they change. It is for one goroutine at a time.
type Loader struct {
	// Patterns are files, directories (all .yml and .yaml below them), globs, or builtin.
	Patterns []string
	// Mapping is a file that is laid over the mapping that is built in; empty means none.
	Mapping string
	// Disabled are ids, names or titles of rules that are left out.
	Disabled []string
	// Builtin holds the rules that are built in.
	Builtin fs.FS

	last [sha256.Size]byte
	read bool
}

// file is a rule file with its text.
type file struct{ name, text string }

// Load reads all rules. changed is false, and set nil, when nothing is different from the last time. What is wrong with
// single files and rules are problems. On an error nothing was loaded: the rules in force should stay so.
func (l *Loader) Load() (set *RuleSet, problems []sigma.Problem, changed bool, err error) {
	files, problems, err := l.files()
	if err != nil {
		return nil, nil, false, err
	}
	mappingText := ""
	if l.Mapping != "" {
		if mappingText, err = readFile(l.Mapping); err != nil {
			return nil, nil, false, fmt.Errorf("mapping: %w", err)
		}
	}
	h := sha256.New()
	for _, f := range append(files, file{"mapping", mappingText}) {
		fmt.Fprintf(h, "%d %s %d ", len(f.name), f.name, len(f.text))
		io.WriteString(h, f.text)
	}
	for i := range problems {
		io.WriteString(h, problems[i].Error())
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	if l.read && sum == l.last {
		return nil, nil, false, nil
	}
	l.read, l.last = true, sum

	mapping := sigma.Builtin()
	if l.Mapping != "" {
		if mapping, err = sigma.ParseMapping([]byte(mappingText), mapping); err != nil {
			return nil, nil, false, fmt.Errorf("mapping: %s: %w", l.Mapping, err)
		}
	}
	var rules []*sigma.Rule
	for _, f := range files {
		parsed, bad := sigma.Parse(f.name, []byte(f.text))
		rules, problems = append(rules, parsed...), append(problems, bad...)
	}
	rules = slices.DeleteFunc(rules, func(r *sigma.Rule) bool {
		return slices.ContainsFunc(l.Disabled, func(name string) bool { return name != "" && (name == r.ID || name == r.Name || name == r.Title) })
	})
	set, bad := NewRuleSet(rules, mapping)
	return set, append(problems, bad...), true, nil
}

// files reads the files of all patterns, each once, in the order of the patterns.
func (l *Loader) files() (files []file, problems []sigma.Problem, err error) {
	seen := map[string]bool{}
	add := func(name string) {
		if seen[name] || len(files) >= maxRuleFiles {
			return
		}
		seen[name] = true
		text, err := readFile(name)
		if err != nil {
			problems = append(problems, sigma.Problem{File: name, Msg: err.Error()})
			return
		}
		files = append(files, file{name, text})
	}
	for _, pattern := range l.Patterns {
		if pattern == BuiltinName {
			builtin, err := l.builtin()
			if err != nil {
				return nil, nil, err
			}
			files = append(files, builtin...)
			continue
		}
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, nil, fmt.Errorf("rules: %s: %w", pattern, err)
		}
		if len(paths) == 0 {
			problems = append(problems, sigma.Problem{File: pattern, Msg: "no such file", Warning: strings.ContainsAny(pattern, "*?[")})
		}
		slices.Sort(paths)
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil || !info.IsDir() {
				add(path)
				continue
			}
			err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && isRuleFile(name) {
					add(name)
				}
				return nil
			})
			if err != nil {
				return nil, nil, err
			}
		}
	}
	return files, problems, nil
}

func isRuleFile(name string) bool {
	return strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".yaml")
}

func (l *Loader) builtin() (files []file, err error) {
	if l.Builtin == nil {
		return nil, errors.New("rules: there are none built in")
	}
	err = fs.WalkDir(l.Builtin, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isRuleFile(name) {
			return err
		}
		text, err := fs.ReadFile(l.Builtin, name)
		files = append(files, file{BuiltinName + "/" + name, string(text)})
		return err
	})
	return files, err
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRuleFile+1))
	return string(text), err
}

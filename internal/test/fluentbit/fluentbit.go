// Package fluentbit reads testdata/fluentbit for the tests of the plugin, of its shared library and of the Collector, which
// are held to the same goldens.
package fluentbit

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Chunk is a recorded buffer with the records that its sender meant.
type Chunk struct {
	Name    string
	Data    []byte
	Records []Record
}

// Record is one record as the Collector gets it.
type Record struct {
	Received time.Time
	Raw      string
}

// Formats are the settings of format that a golden has a part for.
var Formats = []string{"auto", "panoptica"}

// Chunks reads every <name>.msgpack of dir with its <name>.records: a line for each record, the time of its event, a blank
// and the record.
func Chunks(dir string) ([]Chunk, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.msgpack"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no chunks in %s", dir)
	}
	var chunks []Chunk
	for _, path := range paths {
		c := Chunk{Name: strings.TrimSuffix(filepath.Base(path), ".msgpack")}
		if c.Data, err = os.ReadFile(path); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(strings.TrimSuffix(path, ".msgpack") + ".records")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			at, raw, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			received, err := time.Parse(time.RFC3339Nano, at)
			if !ok || err != nil {
				return nil, fmt.Errorf("%s.records: %q: want a time, a blank and a record", c.Name, line)
			}
			c.Records = append(c.Records, Record{received, raw})
		}
		chunks = append(chunks, c)
	}
	return chunks, nil
}

// Tree reads every file under dir by its path, with slashes. A file whose name starts with a dot is an error: it is what a
// write left behind.
func Tree(dir string) (map[string]string, error) {
	tree := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if strings.HasPrefix(entry.Name(), ".") {
			return fmt.Errorf("%s is left behind", path)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		tree[filepath.ToSlash(name)] = string(content)
		return err
	})
	return tree, err
}

// Part is one part of a golden: the objects of a format setting by their keys, and the messages.
func Part(format string, tree map[string]string, messages []string) string {
	var out bytes.Buffer
	fmt.Fprintf(&out, "#### format %s\n", format)
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		fmt.Fprintf(&out, "== %s\n%s", key, tree[key])
	}
	fmt.Fprintf(&out, "== syslog\n")
	for _, m := range messages {
		fmt.Fprintf(&out, "%s\n", m)
	}
	return out.String()
}

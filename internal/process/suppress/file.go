package suppress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
)

// File is a suppressions file that is reread when it changes. List is safe for concurrent use; Reload is for one
// goroutine at a time.
type File struct {
	path    string
	current atomic.Pointer[List]
	read    bool
	text    string // as last read, good or broken
	readErr string // as last reported
}

// Open reads the file at path. The error says what is wrong with it.
func Open(path string) (*File, error) {
	f := &File{path: path}
	if _, err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// List is the last good content. A nil File has an empty list.
func (f *File) List() *List {
	if f == nil {
		return nil
	}
	return f.current.Load()
}

// Reload reads the file again and reports whether there is a new list in force. The content decides, not the time of
// change: a mounted secret or config map is replaced by a link without one. A file that is broken, emptied
// or gone leaves the last good list in force; its error is returned once, until something changes again.
func (f *File) Reload() (changed bool, err error) {
	text, err := readFile(f.path)
	if err != nil {
		if err.Error() == f.readErr {
			return false, nil
		}
		f.readErr = err.Error()
		return false, fmt.Errorf("suppressions file: %w", err)
	}
	f.readErr = ""
	if f.read && text == f.text {
		return false, nil
	}
	f.read, f.text = true, text
	if n := f.List().Len(); n > 0 && strings.TrimSpace(text) == "" { // more likely an editor's first step than a decision
		return false, fmt.Errorf("suppressions file %s: is empty; its last %d rules stay in force, suppressions: [] would end them", f.path, n)
	}
	list, err := Parse([]byte(text))
	if err != nil {
		return false, fmt.Errorf("suppressions file %s: %w", f.path, err)
	}
	f.current.Store(list)
	return true, nil
}

func readFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	return string(text), err
}

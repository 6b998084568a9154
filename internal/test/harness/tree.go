package harness

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Object is one file of the Panoptica tree, or one object of a bucket.
type Object struct {
	// Key is root/event_type/day/account/file, with slashes.
	Key string
	// Lines are its records, decompressed.
	Lines []string
}

// Segments are the parts of the key: root, event type, day, account, file.
func (o *Object) Segments() []string { return strings.Split(o.Key, "/") }

// Tree reads every file under dir, sorted by key. A dir that does not exist is an empty tree. Files whose names begin
// with a dot are still being written and are left out.
func Tree(dir string) ([]Object, error) {
	var objects []Object
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(key string, d fs.DirEntry, err error) error {
		if err != nil {
			if key == "." && os.IsNotExist(err) {
				return nil
			}
			return err
		}
		if d.IsDir() || strings.HasPrefix(path.Base(key), ".") {
			return nil
		}
		content, err := fs.ReadFile(root, key)
		if err != nil {
			return err
		}
		o, err := NewObject(key, content)
		if err != nil {
			return err
		}
		objects = append(objects, o)
		return nil
	})
	sort.Slice(objects, func(i, j int) bool { return objects[i].Key < objects[j].Key })
	return objects, err
}

// NewObject reads the content of an object. The error says that it is not what an object must be: whole lines, each
// ended by a line feed, none empty.
func NewObject(key string, content []byte) (Object, error) {
	o := Object{Key: key}
	plain, err := decompress(key, content)
	if err != nil {
		return o, fmt.Errorf("%s: %w", key, err)
	}
	if !strings.HasSuffix(plain, "\n") {
		return o, fmt.Errorf("%s: no line feed at its end", key)
	}
	o.Lines = strings.Split(strings.TrimSuffix(plain, "\n"), "\n")
	for i, line := range o.Lines {
		if line == "" {
			return o, fmt.Errorf("%s: line %d is empty", key, i+1)
		}
	}
	return o, nil
}

func decompress(key string, content []byte) (string, error) {
	var r io.Reader = bytes.NewReader(content)
	switch path.Ext(key) {
	case ".gz":
		z, err := gzip.NewReader(r)
		if err != nil {
			return "", err
		}
		r = z
	case ".zst":
		z, err := zstd.NewReader(r)
		if err != nil {
			return "", err
		}
		defer z.Close()
		r = z
	}
	plain, err := io.ReadAll(r)
	return string(plain), err
}

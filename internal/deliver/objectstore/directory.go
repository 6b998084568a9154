package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Directory is a Store on the local file system: the same tree as in a bucket. A file is there whole or not at all.
type Directory struct {
	dir  string // absolute
	temp atomic.Int64

	mu   sync.Mutex
	root *os.Root // nothing outside can be reached through it, whatever links are inside; nil until it could be opened
}

// Rights of what a Directory makes: findings are nobody else's business.
const (
	directoryMode = 0o750
	fileMode      = 0o640
)

// NewDirectory does not touch the file system: a directory that cannot be made or written to yet, because a disk is not
// mounted or rights are missing, fails each Put until it can.
func NewDirectory(dir string) (*Directory, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &Directory{dir: dir}, nil
}

// Close lets go of the directory.
func (d *Directory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		return nil
	}
	err := d.root.Close()
	d.root = nil
	return err
}

// Put writes the object to a temporary name, makes it durable and gives it its name, which must not be taken yet.
func (d *Directory) Put(ctx context.Context, o Object) (existed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	root, err := d.open()
	if err != nil {
		return false, classifyFile(err)
	}
	if _, err := root.Stat(o.Key); err == nil {
		return true, nil
	}
	existed, err = d.put(root, o)
	return existed, classifyFile(err)
}

// open is the directory that has the name now. One that was removed, or hidden by a disk mounted over it, takes files
// that nobody finds again.
func (d *Directory) open() (*os.Root, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root != nil {
		held, heldErr := d.root.Stat(".")
		named, namedErr := os.Stat(d.dir)
		if heldErr == nil && namedErr == nil && os.SameFile(held, named) {
			return d.root, nil
		}
		_ = d.root.Close() // other goroutines that use it end with an error and try again
		d.root = nil
	}
	if err := os.MkdirAll(d.dir, directoryMode); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(d.dir)
	if err != nil {
		return nil, err
	}
	d.root = root
	return root, nil
}

func (d *Directory) put(root *os.Root, o Object) (existed bool, err error) {
	folder := path.Dir(o.Key)
	_, statErr := root.Stat(folder)
	if err := root.MkdirAll(folder, directoryMode); err != nil {
		return false, err
	}
	// The dot hides it from readers that list *.json; process and time tell apart what a crash left behind.
	temp := fmt.Sprintf("%s/.%s.%d-%d-%d.tmp", folder, path.Base(o.Key), os.Getpid(), time.Now().UnixNano(), d.temp.Add(1))
	defer func() {
		if removeErr := root.Remove(temp); err == nil && removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = removeErr
		}
	}()
	if err := write(root, temp, o.Content); err != nil {
		return false, err
	}
	switch err := root.Link(temp, o.Key); {
	case errors.Is(err, fs.ErrExist):
		return true, nil
	case err != nil: // a file system without links; the name holds the hash of the content, so replacing changes nothing
		if err := root.Rename(temp, o.Key); err != nil {
			return false, err
		}
	}
	return false, syncNames(root, folder, statErr != nil)
}

func write(root *os.Root, name string, content []byte) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncNames makes the names in a folder durable, and for a new folder those of the folders above it.
func syncNames(root *os.Root, folder string, isNew bool) error {
	for ; ; folder = path.Dir(folder) {
		file, err := root.Open(folder)
		if err != nil {
			return err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return err
		}
		if folder == "." || !isNew {
			return nil
		}
	}
}

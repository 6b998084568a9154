package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync/atomic"
	"time"
)

// Directory is a Store on the local file system: the same tree as in a bucket. A file is there whole or not at all.
type Directory struct {
	root *os.Root // nothing outside can be reached through it, whatever links are inside
	temp atomic.Int64
}

// Rights of what a Directory makes: findings are nobody else's business.
const (
	directoryMode = 0o750
	fileMode      = 0o640
)

// NewDirectory makes the directory when it is not there. The error is a *Error.
func NewDirectory(dir string) (*Directory, error) {
	if err := os.MkdirAll(dir, directoryMode); err != nil {
		return nil, classifyFile(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, classifyFile(err)
	}
	return &Directory{root: root}, nil
}

// Close lets go of the directory.
func (d *Directory) Close() error { return d.root.Close() }

// Put writes the object to a temporary name, makes it durable and gives it its name, which must not be taken yet.
func (d *Directory) Put(ctx context.Context, o Object) (existed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if _, err := d.root.Stat(o.Key); err == nil {
		return true, nil
	}
	existed, err = d.put(o)
	return existed, classifyFile(err)
}

func (d *Directory) put(o Object) (existed bool, err error) {
	folder := path.Dir(o.Key)
	_, statErr := d.root.Stat(folder)
	if err := d.root.MkdirAll(folder, directoryMode); err != nil {
		return false, err
	}
	// The dot hides it from readers that list *.json; process and time tell apart what a crash left behind.
	temp := fmt.Sprintf("%s/.%s.%d-%d-%d.tmp", folder, path.Base(o.Key), os.Getpid(), time.Now().UnixNano(), d.temp.Add(1))
	defer func() {
		if removeErr := d.root.Remove(temp); err == nil && removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = removeErr
		}
	}()
	if err := d.write(temp, o.Content); err != nil {
		return false, err
	}
	switch err := d.root.Link(temp, o.Key); {
	case errors.Is(err, fs.ErrExist):
		return true, nil
	case err != nil: // a file system without links; the name holds the hash of the content, so replacing changes nothing
		if err := d.root.Rename(temp, o.Key); err != nil {
			return false, err
		}
	}
	return false, d.sync(folder, statErr != nil)
}

func (d *Directory) write(name string, content []byte) error {
	file, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// sync makes the names in a folder durable, and for a new folder those of the folders above it.
func (d *Directory) sync(folder string, isNew bool) error {
	for ; ; folder = path.Dir(folder) {
		file, err := d.root.Open(folder)
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

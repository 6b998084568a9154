// Package bucket lists and reads objects in the object stores of three clouds through one interface.
//
// A store lists, opens at an offset, and has a table of what can go wrong. Resuming and timeouts are the same for all.
package bucket

import (
	"context"
	"io"
	"strings"
	"time"
)

// Object is one object, as a listing or a notification names it. It is a value; what is not known is zero.
type Object struct {
	Bucket   string // "" is the configured one
	Key      string
	Version  string // S3's version id, GCS's generation; "" is the newest
	ETag     string
	Size     int64 // bytes as stored; 0 when unknown
	Modified time.Time
	Created  time.Time // of an append blob, whatever was appended since
	Region   string    // of the bucket, where a notification says it
	Account  string    // host of the storage account, where a notification says it (Azure)
	Grows    bool      // an append blob: more may be appended to what is there
	Archived bool      // in a storage class that cannot be read at once
}

// IsFolder reports whether the object only marks a folder, as consoles make them.
func (o *Object) IsFolder() bool { return strings.HasSuffix(o.Key, "/") && o.Size == 0 }

// sizeUnknown is the size of a Content whose store does not say it.
const sizeUnknown = -1

// Content is an opened object. Its Object says what the store says of it, its size being that of the whole object.
type Content struct {
	Object
	Metadata map[string]string // that its writer gave it (S3)
	Body     io.ReadCloser
}

// Bucket is an object store. Implementations are safe for concurrent use. Their errors are *Error.
type Bucket interface {
	// Open reads an object from an offset to the end that it has now. Where o has an ETag and offset is not 0, an object
	// that does not grow must still have that ETag.
	Open(ctx context.Context, o Object, offset int64) (Content, error)
	// Page lists up to pageSize objects whose keys begin with prefix, in the store's order. token is "" for the first page or what
	// an earlier page returned as next, also in an earlier life of the process; next is "" behind the last page.
	Page(ctx context.Context, prefix, token string) (page []Object, next string, err error)
	// URL names an object for people: s3://bucket/key.
	URL(o Object) string
	// Name is the configured bucket, "" when there is none.
	Name() string
	Close() error
}

// pageSize is what S3 and GCS list at once at most. A page is also the unit of the listing's checkpoint.
const pageSize = 1000

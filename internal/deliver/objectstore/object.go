// Package objectstore puts records as newline-delimited JSON where a data lake reads them: in an S3 bucket, or in a
// directory with the same tree. It knows object keys, what makes a retry harmless, and which errors can get better.
//
// It imports nothing of the Collector or of Fluent Bit.
package objectstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// Compression of an object.
type Compression string

// Compressions.
const (
	None Compression = "none"
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)

// suffix is what the file name ends with after ".json".
func (c Compression) suffix() string {
	switch c {
	case Gzip:
		return ".gz"
	case Zstd:
		return ".zst"
	}
	return ""
}

// contentEncoding is the object's Content-Encoding: the type stays that of the text inside.
func (c Compression) contentEncoding() string {
	if c == None {
		return ""
	}
	return string(c)
}

const contentType = "application/x-ndjson"

// Object is what a store puts.
type Object struct {
	Key             string
	Content         []byte            // as stored
	Sum             [sha256.Size]byte // SHA-256 of Content
	ContentType     string
	ContentEncoding string
}

// Store puts objects. It is safe for concurrent use.
type Store interface {
	// Put stores an object unless there is one of its key already, which then is the same object: the key names the
	// content. existed tells the two apart. The error is a *Error.
	Put(ctx context.Context, o Object) (existed bool, err error)
}

// fileTime is the form of the first record's time in a file name.
const fileTime = "20060102T150405Z"

// NewObject makes the object of a partition's lines. Its file name is made of the first record's time and of the
// content before compression: the same lines get the same key, whenever and however often they are put.
func NewObject(root string, p Partition, first time.Time, lines []byte, compression Compression) (Object, error) {
	sum := sha256.Sum256(lines)
	file := first.UTC().Format(fileTime) + "-" + hex.EncodeToString(sum[:16]) + ".json" + compression.suffix()
	content, err := compress(lines, compression)
	if compression.suffix() != "" {
		sum = sha256.Sum256(content)
	}
	return Object{
		Key:             p.Key(root, file),
		Content:         content,
		Sum:             sum,
		ContentType:     contentType,
		ContentEncoding: compression.contentEncoding(),
	}, err
}

// AppendLines appends the lines of bodies to dst, as AppendLine does. Nearly always no body holds a line end, which is seen
// afterwards in all of them at once.
func AppendLines(dst []byte, bodies []string) []byte {
	size := len(bodies)
	for _, body := range bodies {
		size += len(body)
	}
	start := len(dst)
	dst = slices.Grow(dst, size)
	for _, body := range bodies {
		dst = append(append(dst, body...), '\n')
	}
	if bytes.Count(dst[start:], []byte{'\n'}) == len(bodies) {
		return dst
	}
	dst = dst[:start]
	for _, body := range bodies {
		dst = AppendLine(dst, body)
	}
	return dst
}

// AppendLine appends a record's body and the line end to dst. A body that holds a line end itself did not come through
// the parser: as JSON it is made compact, and else it becomes a JSON string, so that a line stays a record.
func AppendLine(dst []byte, body string) []byte {
	switch {
	case strings.IndexByte(body, '\n') < 0:
		dst = append(dst, body...)
	case jsonscan.Valid(body) == nil:
		dst = jsonscan.AppendCompact(dst, body)
	default:
		dst = jsonscan.AppendQuoted(dst, body)
	}
	return append(dst, '\n')
}

var (
	gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}
	// One encoder serves all: EncodeAll is safe for concurrent use, and takes as many goroutines as call it.
	zstdEncoder = sync.OnceValues(func() (*zstd.Encoder, error) { return zstd.NewWriter(nil, zstd.WithEncoderCRC(true)) })
)

func compress(lines []byte, compression Compression) ([]byte, error) {
	switch compression {
	case None, "":
		return lines, nil
	case Gzip:
		var out bytes.Buffer
		out.Grow(len(lines) / 4)
		zw := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(zw)
		zw.Reset(&out)
		if _, err := zw.Write(lines); err != nil {
			return nil, err
		}
		if err := zw.Close(); err != nil {
			return nil, err
		}
		return out.Bytes(), nil
	case Zstd:
		zw, err := zstdEncoder()
		if err != nil {
			return nil, err
		}
		return zw.EncodeAll(lines, make([]byte, 0, len(lines)/4)), nil
	}
	return nil, fmt.Errorf("unknown compression %q", compression)
}

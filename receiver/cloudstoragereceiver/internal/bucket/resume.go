package bucket

import (
	"context"
	"fmt"
	"io"
	"time"
)

const (
	// maxResumes is how often in a row a connection may tear without a byte gained before the object is given back.
	maxResumes = 3
	// firstResumeDelay doubles with each of them.
	firstResumeDelay = 500 * time.Millisecond
)

// Reader reads an object as it is stored, and goes on where it was when the connection tears. It is for one goroutine.
type Reader struct {
	ctx     context.Context
	bucket  Bucket
	content Content
	offset  int64 // of the next byte
	torn    int
	timeout time.Duration
	cancel  context.CancelFunc // of the open connection
}

// NewReader opens an object at an offset. No read lasts longer than timeout; a store that sends nothing for that long is
// asked again.
func NewReader(ctx context.Context, b Bucket, o Object, offset int64, timeout time.Duration) (*Reader, error) {
	r := &Reader{ctx: ctx, bucket: b, offset: offset, timeout: timeout}
	if err := r.open(o); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Reader) open(o Object) error {
	ctx, cancel := context.WithCancel(r.ctx)
	timer := time.AfterFunc(r.timeout, cancel)
	content, err := r.bucket.Open(ctx, o, r.offset)
	if !timer.Stop() && err == nil {
		err = &Error{Kind: Unavailable, Err: fmt.Errorf("%s: no answer in %s", r.bucket.URL(o), r.timeout)}
		content.Body.Close()
	}
	if err != nil {
		cancel()
		return err
	}
	r.content, r.cancel = content, cancel
	return nil
}

// Object is what the store says of the object.
func (r *Reader) Object() Object { return r.content.Object }

// Metadata is what the object's writer gave it.
func (r *Reader) Metadata() map[string]string { return r.content.Metadata }

// Offset is that of the next byte.
func (r *Reader) Offset() int64 { return r.offset }

// Read returns io.EOF only where the object ended when it was opened.
func (r *Reader) Read(p []byte) (int, error) {
	for {
		if left := r.content.Size - r.offset; r.content.Size >= 0 && int64(len(p)) > left {
			if left <= 0 {
				return 0, io.EOF // what is appended meanwhile is for the next time
			}
			p = p[:left]
		}
		timer := time.AfterFunc(r.timeout, r.cancel)
		n, err := r.content.Body.Read(p)
		timer.Stop()
		r.offset += int64(n)
		if n > 0 {
			r.torn = 0
		}
		if err == io.EOF && r.offset < r.content.Size { // a size of -1 is one that the store does not say
			err = io.ErrUnexpectedEOF
		}
		if n > 0 || err == nil || err == io.EOF {
			if err != io.EOF {
				err = nil // it comes again with the next read
			}
			return n, err
		}
		if err := r.resume(err); err != nil {
			return 0, err
		}
	}
}

// resume opens the same object where it broke off.
func (r *Reader) resume(cause error) error {
	r.content.Body.Close()
	r.cancel()
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.torn++; r.torn > maxResumes {
		return &Error{Kind: Unavailable, Err: fmt.Errorf("%s: broke off at byte %d: %w", r.bucket.URL(r.content.Object), r.offset, cause)}
	}
	select {
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-time.After(firstResumeDelay << (r.torn - 1)):
	}
	size := r.content.Size
	if err := r.open(r.content.Object); err != nil {
		return err
	}
	r.content.Size = size
	return nil
}

// Close lets go of the connection.
func (r *Reader) Close() error {
	err := r.content.Body.Close()
	r.cancel()
	return err
}

// Package unpack undoes the compression of a stream, told by its first bytes and not by a name: gzip with any number of
// members, zstd with any number of frames, either of them twice. What comes out is bounded.
package unpack

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxLayers is how often a stream may be compressed: delivery services compress files that are compressed already.
	maxLayers = 2
	// maxZstdWindow is how far back a zstd frame may refer, and so what a stream can make the decoder hold. 8 MiB is
	// what RFC 8878 asks every decoder to support; zstd's levels up to 19 need no more.
	maxZstdWindow = 8 << 20
	// bufferBytes is what is read of the packed stream at once.
	bufferBytes = 64 << 10
)

// Error says that the stream itself is broken or too long: reading it again does not help.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// ErrTooLong is in the *Error of a stream that is longer than allowed.
var ErrTooLong = errors.New("too long when unpacked")

// Limit is the most bytes that may come out, whether they were packed or not, and the setting that says so, for the error.
type Limit struct {
	Bytes   int64
	Setting string
}

// Reader is a stream without its compression. Close does not close what is below. It is for one goroutine.
type Reader struct {
	io.Reader
	// Packed says that the stream was compressed: its offsets are not those of what is below.
	Packed bool
	close  []func()
}

// buffers are the readers between the layers, *bufio.Reader of bufferBytes.
var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferBytes) }}

// NewReader looks at the first bytes of r. More bytes than the limit are an *Error, and so is a broken stream; an error of r
// itself is returned as it is.
func NewReader(r io.Reader, limit Limit) (*Reader, error) {
	source := &kept{r: r}
	out := &Reader{}
	buffered := out.buffered(source)
	for range maxLayers {
		head, err := buffered.Peek(4)
		if source.err != nil {
			out.Close()
			return nil, source.err
		}
		if err != nil && err != io.EOF {
			out.Close()
			return nil, out.failed(source, err)
		}
		unpacked, err := out.layer(buffered, head)
		if err != nil {
			out.Close()
			return nil, out.failed(source, err)
		}
		if unpacked == nil {
			break
		}
		out.Packed = true
		buffered = out.buffered(unpacked)
	}
	out.Reader = &bounded{r: buffered, source: source, out: out, left: limit.Bytes, limit: limit}
	return out, nil
}

// buffered lets the first bytes of r be looked at.
func (u *Reader) buffered(r io.Reader) *bufio.Reader {
	b := buffers.Get().(*bufio.Reader)
	b.Reset(r)
	u.close = append(u.close, func() {
		b.Reset(nil)
		buffers.Put(b)
	})
	return b
}

// layer opens the compression that head is the beginning of, nil when it is none.
func (u *Reader) layer(r *bufio.Reader, head []byte) (io.Reader, error) {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}): // RFC 1952, with its only method
		zr, err := gzip.NewReader(r) // reads members one after another
		if err != nil {
			return nil, err
		}
		u.close = append(u.close, func() { _ = zr.Close() })
		return zr, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		len(head) == 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18}): // a skippable frame first
		zr, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, err
		}
		u.close = append(u.close, zr.Close)
		return zr, nil
	}
	return nil, nil
}

// Close frees decoders and buffers; nothing may be read afterwards.
func (u *Reader) Close() {
	for _, close := range u.close {
		close()
	}
	u.close, u.Reader = nil, nil
}

// failed returns the error of the stream below when it has one, and otherwise an *Error about the content.
func (u *Reader) failed(source *kept, err error) error {
	switch {
	case source.err != nil:
		return source.err
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return &Error{fmt.Errorf("zstd window larger than %d bytes", maxZstdWindow)}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{errors.New("the compressed stream ends too early")}
	}
	return &Error{fmt.Errorf("broken compressed stream: %w", err)}
}

// kept remembers the error of the stream below: decoders wrap it or replace it.
type kept struct {
	r   io.Reader
	err error
}

func (k *kept) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	if err != nil && err != io.EOF {
		k.err = err
	}
	return n, err
}

// bounded fails where there is more than allowed, instead of ending as if that were all.
type bounded struct {
	r      io.Reader
	source *kept
	out    *Reader
	left   int64
	limit  Limit
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		switch n, err := io.ReadFull(b.r, one[:]); {
		case n > 0:
			return 0, &Error{fmt.Errorf("%w: more than %d bytes (%s)", ErrTooLong, b.limit.Bytes, b.limit.Setting)}
		case err == io.EOF:
			return 0, io.EOF
		default:
			return 0, b.out.failed(b.source, err)
		}
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if err != nil && err != io.EOF {
		err = b.out.failed(b.source, err)
	}
	return n, err
}

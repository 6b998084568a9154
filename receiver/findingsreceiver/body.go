package findingsreceiver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// spoolMemory is how much of a signed body waits in memory for its signature to be checked; the rest waits on disk.
	spoolMemory = 1 << 20
	// maxZstdWindow is how far back a zstd frame may refer, and so what a request can make the decoder hold. 8 MiB is
	// what RFC 8878 asks every decoder to support.
	maxZstdWindow = 8 << 20
)

var (
	errSignature = errors.New("signature missing or wrong")
	errExpanded  = errors.New("body is too large after decompression")
)

// encodingKey is the context key of a request's Content-Encoding.
type encodingKey struct{}

// keepEncoding moves a request's Content-Encoding out of reach of the server's own decompression.
func keepEncoding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		encoding := strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ","))
		r.Header.Del("Content-Encoding")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), encodingKey{}, encoding)))
	})
}

func encodingOf(r *http.Request) string {
	encoding, _ := r.Context().Value(encodingKey{}).(string)
	return encoding
}

func supportedEncoding(encoding string) bool {
	switch encoding {
	case "", "identity", "gzip", "x-gzip", "zstd":
		return true
	}
	return false
}

// Beginnings of compressed files; no record begins so.
var (
	gzipMagic = []byte{0x1f, 0x8b, 8} // RFC 1952, with its only method
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// sniff looks whether a body without Content-Encoding is a compressed file all the same, as vendors keep them and curl sends
// them, and returns the whole body to be read.
func sniff(body io.Reader) (whole io.Reader, encoding string) {
	head := make([]byte, len(zstdMagic))
	n, _ := io.ReadFull(body, head) // an error comes again with the next byte
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		encoding = "gzip"
	case bytes.HasPrefix(head, zstdMagic):
		encoding = "zstd"
	}
	return io.MultiReader(bytes.NewReader(head), body), encoding
}

// decompress wraps a body in what its encoding, or without one its beginning, needs and bounds what comes out. The encoding
// must be supported.
func decompress(body io.Reader, encoding string, limit int64) (io.ReadCloser, error) {
	if encoding == "" || encoding == "identity" {
		body, encoding = sniff(body)
	}
	switch encoding {
	case "gzip", "x-gzip":
		zr, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		return &limited{r: zr, left: limit, close: zr.Close}, nil
	case "zstd":
		zr, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return &limited{r: zr, left: limit, close: func() error { zr.Close(); return nil }}, nil
	default:
		return io.NopCloser(body), nil // bounded by max_request_body_size
	}
}

// limited fails with errExpanded when there is more to read than allowed, instead of ending as if that were all.
type limited struct {
	r     io.Reader
	left  int64
	close func() error
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		var one [1]byte
		if n, err := io.ReadFull(l.r, one[:]); n == 0 {
			return 0, err
		}
		return 0, errExpanded
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	return n, err
}

func (l *limited) Close() error { return l.close() }

// spool holds a whole body: its beginning in memory, the rest in a file that is gone once it is closed.
type spool struct {
	io.Reader
	file *os.File
}

func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}

// verified reads the whole body, checks its signature and returns the body to be read again: nothing of a body goes on
// before its last byte is known to be signed.
func verified(body io.Reader, cfg *HMACConfig, header http.Header) (_ io.ReadCloser, err error) {
	given, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(header.Get(cfg.Header)), "sha256="))
	if err != nil || len(given) != sha256.Size {
		return nil, errSignature
	}
	mac := hmac.New(sha256.New, []byte(cfg.Secret))
	body = io.TeeReader(body, mac)

	var memory bytes.Buffer
	if _, err := io.CopyN(&memory, body, spoolMemory); err != nil && err != io.EOF {
		return nil, err
	}
	s := &spool{Reader: &memory}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if memory.Len() == spoolMemory {
		if s.file, err = os.CreateTemp("", "siempipe-findings-*"); err != nil {
			return nil, fmt.Errorf("%w: %w", errSpool, err)
		}
		if _, err = io.Copy(spoolWriter{s.file}, body); err != nil {
			return nil, err
		}
		if _, err = s.file.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("%w: %w", errSpool, err)
		}
		s.Reader = io.MultiReader(&memory, s.file)
	}
	if !hmac.Equal(mac.Sum(nil), given) {
		return nil, errSignature
	}
	return s, nil
}

// spoolWriter tells a full disk, which is ours, from a body that breaks off, which is the sender's.
type spoolWriter struct{ w io.Writer }

func (s spoolWriter) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", errSpool, err)
	}
	return n, err
}

var errSpool = errors.New("cannot keep the body for its signature check")

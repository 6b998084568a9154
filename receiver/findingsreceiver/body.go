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

	"github.com/siempipe/siempipe/internal/read/unpack"
)

// spoolMemory is how much of a signed body waits in memory for its signature to be checked; the rest waits on disk.
const spoolMemory = 1 << 20

var errSignature = errors.New("signature missing or wrong")

// encodingKey is the context key of a request's Content-Encoding.
type encodingKey struct{}

// hideEncoding moves a request's Content-Encoding out of reach of the server's own decompression.
func hideEncoding(next http.Handler) http.Handler {
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

// unpacked reads a body without its compression, which its first bytes tell where no Content-Encoding does. The encoding must
// be supported.
func (c *Config) unpacked(body io.Reader, encoding string) (*unpack.Reader, error) {
	plain, err := unpack.NewReader(body, unpack.Limit{Bytes: c.MaxDecompressedSize, Setting: "max_decompressed_size"})
	if err != nil {
		return nil, err
	}
	if encoding != "" && encoding != "identity" && !plain.Packed {
		plain.Close()
		return nil, fmt.Errorf("Content-Encoding is %s, and the body is not", encoding)
	}
	return plain, nil
}

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

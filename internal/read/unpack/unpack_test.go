package unpack

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func gz(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func zst(text string, options ...zstd.EOption) string {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, options...)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func all(packed string, limit int64) (string, bool, error) {
	r, err := NewReader(strings.NewReader(packed), Limit{limit, "max_unpacked_size"})
	if err != nil {
		return "", false, err
	}
	defer r.Close()
	out, err := io.ReadAll(r)
	return string(out), r.Packed, err
}

func TestUnpack(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 1<<14)
	skippable := "\x52\x2a\x4d\x18\x03\x00\x00\x00abc"
	tests := map[string]struct {
		packed, want string
		isPacked     bool
	}{
		"nothing":                     {"", "", false},
		"plain":                       {"a\nb", "a\nb", false},
		"shorter than its magic":      {"\x1f", "\x1f", false},
		"gzip":                        {gz(long), long, true},
		"gzip of nothing":             {gz(""), "", true},
		"gzip of several members":     {gz("a\n") + gz("b\n") + gz("") + gz(long), "a\nb\n" + long, true},
		"zstd":                        {zst(long), long, true},
		"zstd of several frames":      {zst("a\n") + skippable + zst("b\n"), "a\nb\n", true},
		"zstd behind a frame to skip": {skippable + zst("b\n"), "b\n", true},
		"gzip twice":                  {gz(gz(long)), long, true},
		"zstd in gzip":                {gz(zst(long)), long, true},
		"three times is content":      {gz(gz(gz("x"))), gz("x"), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, packed, err := all(test.packed, 1<<20)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.isPacked, packed)
		})
	}
}

func TestLimitIsExact(t *testing.T) {
	for name, pack := range map[string]func(string) string{"plain": func(s string) string { return s }, "gzip": gz, "zstd": func(s string) string { return zst(s) }} {
		got, _, err := all(pack("12345678"), 8)
		require.NoError(t, err, name)
		assert.Equal(t, "12345678", got, name)
		got, _, err = all(pack("123456789"), 8)
		var known *Error
		require.ErrorAs(t, err, &known, name)
		assert.ErrorIs(t, err, ErrTooLong, name)
		assert.ErrorContains(t, err, "more than 8 bytes (max_unpacked_size)", name)
		assert.Equal(t, "12345678", got, name)
	}
}

func TestBroken(t *testing.T) {
	text := strings.Repeat("a line of text\n", 1000)
	flipped := []byte(gz(text))
	flipped[len(flipped)-6] ^= 0xff // in the checksum
	tests := map[string]string{
		"gzip cut off":        gz(text)[:40],
		"gzip header cut off": gz(text)[:6],
		"gzip checksum":       string(flipped),
		"gzip and garbage":    gz("a") + "garbage that is no member",
		"zstd cut off":        zst(text)[:len(zst(text))-5],
		"zstd window":         zst(strings.Repeat(text, 5000), zstd.WithWindowSize(64<<20)),
	}
	for name, packed := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := all(packed, 1<<30)
			var known *Error
			require.ErrorAs(t, err, &known)
		})
	}
}

// TestErrorBelow: a connection that tears is no broken object, whatever the decoder makes of it.
func TestErrorBelow(t *testing.T) {
	torn := errors.New("connection reset")
	text := strings.Repeat("a line of text\n", 100_000)
	for name, packed := range map[string]string{"plain": text, "gzip": gz(text), "zstd": zst(text), "short": "ab"} {
		for _, at := range []int{0, 3, len(packed) / 2} {
			r, err := NewReader(io.MultiReader(strings.NewReader(packed[:min(at, len(packed))]), failing{torn}), Limit{Bytes: 1 << 30})
			if err == nil {
				_, err = io.ReadAll(r)
				r.Close()
			}
			require.ErrorIs(t, err, torn, "%s at %d", name, at)
			var known *Error
			require.False(t, errors.As(err, &known), "%s at %d", name, at)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzUnpack(f *testing.F) {
	for _, seed := range []string{"", "plain", gz("a") + gz("b"), zst("x"), gz(zst("x")), "\x1f\x8b", "\x28\xb5\x2f\xfd"} {
		f.Add([]byte(seed))
	}
	const limit = 1 << 16
	f.Fuzz(func(t *testing.T, packed []byte) {
		got, isPacked, err := all(string(packed), limit)
		require.LessOrEqual(t, len(got), limit)
		if err == nil && !isPacked {
			require.Equal(t, string(packed), got)
		}
	})
}

package exporterbase

import (
	"encoding/binary"
	"errors"
)

// AppendText appends a text after its length.
func AppendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// AppendVarint appends a number.
func AppendVarint(dst []byte, n int64) []byte { return binary.AppendVarint(dst, n) }

// Reader reads a stored request from its front. After an error it returns zero values. Texts are parts of what is read.
type Reader struct {
	rest string
	err  error
}

// Text reads what AppendText wrote.
func (r *Reader) Text() string {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

// Varint reads what AppendVarint wrote.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	return v * int64(r.skip(n))
}

func (r *Reader) uvarint() uint64 {
	v, n := binary.Uvarint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	return v * uint64(r.skip(n))
}

func (r *Reader) byte() byte {
	if r.rest == "" {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// skip steps over a number of n bytes; it is 1, or 0 where there was none.
func (r *Reader) skip(n int) int {
	if n <= 0 || r.err != nil {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return 1
}

func (r *Reader) fail() {
	r.rest, r.err = "", errors.New("stored request: torn")
}

package format

import "slices"

// keyRoom is how much is copied of a key, whatever its length: two moves instead of a call.
const keyRoom = 32

// key is a name as it is written, with what stands before and behind it.
type key struct {
	text   [keyRoom]byte
	length int
}

// keyOf is the key with a text; ok says that there is room for it.
func keyOf(text string) (k key, ok bool) {
	k.length = copy(k.text[:], text)
	return k, k.length == len(text)
}

// append appends the key to dst. What is behind dst may be overwritten.
func (k *key) append(dst []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, keyRoom)
	*(*[keyRoom]byte)(dst[n : n+keyRoom]) = k.text
	return dst[:n+k.length]
}

package findingstate

import "context"

// Storage is what the state lies in. Batch does all operations in order and should do all of them or none: what a crash in the
// middle of a batch leaves behind is as safe as the storage makes it.
type Storage interface {
	Batch(ctx context.Context, ops []Op) error
}

// OpKind says what an operation does.
type OpKind uint8

// Kinds of operations. Get of a key that is not there leaves Value nil; Delete of one does nothing.
const (
	Get OpKind = iota
	Set
	Delete
)

// Op is one operation of a batch. A Get puts its result in Value, which then belongs to the caller.
type Op struct {
	Kind  OpKind
	Key   string
	Value []byte
}

// Keys of the storage.
const (
	keyMeta  = "meta"
	keyNames = "names"
	keyOpen  = "open"
	keyProbe = "probe"
)

const hexDigits = "0123456789abcdef"

// numbered is a key that sorts by its number.
func numbered(prefix string, n uint64, digits int) string {
	var buf [32]byte
	key := append(buf[:0], prefix...)
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		key = append(key, hexDigits[n>>shift&0xf])
	}
	return string(key)
}

func pageKey(n uint32) string  { return numbered("p/", uint64(n), 8) }
func logKey(n uint64) string   { return numbered("w/", n, 12) }
func scopeKey(n uint32) string { return numbered("scope/", uint64(n), 6) }
func chunkKey(scan, n uint32) string {
	return numbered(numbered("h/", uint64(scan), 8)+"/", uint64(n), 8)
}

package perceptionpointreceiver

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Storage of one stream: the place in the list under stateKey, and the fingerprints of each bucket in blocks of blockFingerprints. A
// page's acceptance writes the state and the last block, at most 8 KiB, in one transaction.
const (
	stateKey          = "state"
	stateVersion      = 1
	blockFingerprints = 256
	// readBatch is how many blocks are read at once at start.
	readBatch = 256
)

// state is where a stream is in its list. Times are epoch seconds of the API's clock.
type state struct {
	Version int `json:"version"`
	// Cursor: every scan created before it was accepted.
	Cursor int64 `json:"cursor"`
	// Rechecked is when all of the overlap was last listed.
	Rechecked int64 `json:"rechecked,omitempty"`
	// Window is the listing under way, nil between two.
	Window *window `json:"window,omitempty"`
	// Backfill is the beginning of the backfill that the cursor belongs to, 0 for none.
	Backfill int64 `json:"backfill,omitempty"`
	// Width is that of new buckets, in seconds, and Buckets are number, blocks and width of each; 0 is Width.
	Width   int64      `json:"width"`
	Buckets [][3]int64 `json:"buckets,omitempty"`
}

// window is one chain of pages: all scans created from Start to End, both included.
type window struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// Next is the page that comes next, "" for the first.
	Next  string `json:"next,omitempty"`
	Pages int    `json:"pages,omitempty"`
}

// checkpoint keeps state and memory of a stream in the storage extension; without one it keeps nothing.
type checkpoint struct {
	client storage.Client // nil without storage
}

func blockKey(bucket int64, block int) string {
	return "seen/" + strconv.FormatInt(bucket, 10) + "/" + strconv.Itoa(block)
}

// load reads what save wrote. found is false for a new stream. Blocks that are missing or torn are counted: their scans may
// come out again.
func (c *checkpoint) load(ctx context.Context, m *memory) (st state, found bool, torn int, err error) {
	if c.client == nil {
		return st, false, 0, nil
	}
	text, err := c.client.Get(ctx, stateKey)
	if err != nil || text == nil {
		return st, false, 0, err
	}
	if err := json.Unmarshal(text, &st); err != nil {
		return st, false, 0, fmt.Errorf("stored state: %w", err)
	}
	if st.Version != stateVersion || st.Width <= 0 {
		return st, false, 0, fmt.Errorf("stored state: of version %d, want %d", st.Version, stateVersion)
	}
	for _, stored := range st.Buckets {
		b := &bucket{number: stored[0], blocks: int(stored[1]), width: stored[2], open: make(map[uint64]fingerprint)}
		if b.width <= 0 {
			b.width = st.Width
		}
		for from := 0; from < b.blocks; from += readBatch {
			var ops []*storage.Operation
			for i := from; i < min(from+readBatch, b.blocks); i++ {
				ops = append(ops, storage.GetOperation(blockKey(b.number, i)))
			}
			if err := c.client.Batch(ctx, ops...); err != nil {
				return st, false, torn, err
			}
			for i, op := range ops {
				fingerprints, ok := readBlock(op.Value)
				if !ok {
					torn++
				}
				for _, s := range fingerprints {
					b.open[s.id] = s
				}
				if from+i == b.blocks-1 {
					b.tail = fingerprints
				}
			}
		}
		m.n += len(b.open)
		tail := b.tail
		b.close()
		b.tail = tail
		m.buckets = append(m.buckets, b)
	}
	return st, true, torn, nil
}

// A block is a count and as many fingerprints.
func appendBlock(dst []byte, fingerprints []fingerprint) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(fingerprints)))
	for i := range fingerprints {
		dst = fingerprints[i].append(dst)
	}
	return dst
}

func readBlock(b []byte) (fingerprints []fingerprint, ok bool) {
	if len(b) < 4 {
		return nil, false
	}
	n, b := int(binary.BigEndian.Uint32(b)), b[4:]
	ok = len(b) == n*fingerprintBytes
	for len(b) >= fingerprintBytes {
		fingerprints = append(fingerprints, readFingerprint(b))
		b = b[fingerprintBytes:]
	}
	return fingerprints, ok
}

// update is what one page or one window changes in storage.
type update struct {
	added   map[*bucket][]fingerprint
	dropped []*bucket
}

// save writes the state, the added fingerprints and removes the dropped buckets, in one transaction.
func (c *checkpoint) save(ctx context.Context, st *state, m *memory, u update) error {
	var ops []*storage.Operation
	for b, fingerprints := range u.added {
		for len(fingerprints) > 0 {
			if b.blocks == 0 || len(b.tail) == blockFingerprints {
				b.blocks++
				b.tail = b.tail[:0:0]
			}
			n := min(blockFingerprints-len(b.tail), len(fingerprints))
			b.tail = append(b.tail, fingerprints[:n]...)
			fingerprints = fingerprints[n:]
			if c.client != nil {
				ops = append(ops, storage.SetOperation(blockKey(b.number, b.blocks-1), appendBlock(nil, b.tail)))
			}
		}
	}
	if c.client == nil {
		return nil
	}
	for _, b := range u.dropped {
		for i := range b.blocks {
			ops = append(ops, storage.DeleteOperation(blockKey(b.number, i)))
		}
	}
	st.Version, st.Width = stateVersion, m.width
	st.Buckets = st.Buckets[:0]
	for _, b := range m.buckets {
		st.Buckets = append(st.Buckets, [3]int64{b.number, int64(b.blocks), b.width})
	}
	text, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return c.client.Batch(ctx, append(ops, storage.SetOperation(stateKey, text))...)
}

// close lets go of the storage.
func (c *checkpoint) close(ctx context.Context) error {
	if c.client == nil {
		return nil
	}
	return c.client.Close(ctx)
}

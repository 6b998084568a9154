package findingstate

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCacheIsAMap: entries that crowd one place of the index, the last one too, are found, removed and found dirty as in a map.
func TestCacheIsAMap(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 5))
		c := newCache()
		model := map[id]bool{} // whether it is dirty
		random := func() (i id) {
			binary.LittleEndian.PutUint32(i[:], r.Uint32N(64))
			binary.LittleEndian.PutUint32(i[4:], [...]uint32{0, 1 << 20, 1<<32 - 1, r.Uint32()}[r.IntN(4)])
			i[8] = byte(r.IntN(8))
			return i
		}
		for range 20_000 {
			i := random()
			dirty, there := model[i]
			s := c.get(i)
			require.Equal(t, there, s != nil)
			if there {
				require.Equal(t, dirty, s.dirty)
				require.Equal(t, s, c.getAt(i, c.index.first(i)))
			}
			switch {
			case !there:
				require.Nil(t, c.getAt(i, c.index.first(i)))
				c.add(&entry{head: head{id: i}})
				model[i] = false
			case r.IntN(3) == 0:
				c.remove(i)
				delete(model, i)
			case dirty:
				c.setClean(s)
				model[i] = false
			default:
				c.setDirty(s)
				model[i] = true
			}
			require.Equal(t, len(model), c.len())
		}
		const pages = 11
		dirty := map[id]bool{}
		for from := uint32(0); from < pages; from += 4 {
			for _, p := range c.dirtyOf(nil, pages, from, from+4) {
				require.False(t, dirty[p.id], "twice")
				dirty[p.id] = true
				require.Equal(t, pageOf(p.id.hash(), pages), p.page)
			}
		}
		for i, is := range model {
			require.Equal(t, is, dirty[i])
		}
		require.Len(t, dirty, c.dirty)
		c.evict(0)
		require.Equal(t, c.dirty, c.len(), "what is dirty stays")
	}
}

// TestPagesOfBefore: pages whose entries are not in the order of their hashes, as they were written once, are read and sorted.
func TestPagesOfBefore(t *testing.T) {
	b := newBench(t, options())
	for _, name := range []string{"f-1", "f-2", "f-3", "f-4", "f-5", "f-6"} {
		b.see(finding(name, ""))
	}
	require.NoError(t, b.Close(t.Context()))
	var list [][]byte
	b.eachEntry(b.entriesOf(b.store.data[pageKey(0)]), func(one []byte) { list = append(list, one) })
	require.Len(t, list, 6)
	page := make([]byte, pageHeader)
	for i := range list {
		page = appendRaw(page, list[len(list)-1-i])
	}
	b.store.data[pageKey(0)] = sealPage(page)
	b.restart()
	require.Equal(t, "unchanged changed*(x) unchanged new*", b.see(finding("f-2", ""), finding("f-5", `,"x":1`), finding("f-4", ""), finding("f-9", "")))
	require.NoError(t, b.Close(t.Context()))
	b.restart()
	require.Equal(t, uint64(7), b.meta.Entries)
	for _, name := range []string{"f-1", "f-2", "f-3", "f-4", "f-6", "f-9"} {
		require.Equal(t, "unchanged", b.see(finding(name, "")))
	}
	require.Equal(t, "unchanged", b.see(finding("f-5", `,"x":1`)))
	inOrder := b.sorted(nil, b.entriesOf(b.store.data[pageKey(0)]))
	i := 0
	b.eachEntry(b.entriesOf(b.store.data[pageKey(0)]), func(one []byte) {
		require.Equal(t, inOrder[i].one, one)
		i++
	})
}

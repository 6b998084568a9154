package exporterbase

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// folder is a key as that of panoptica_s3.
type folder struct{ EventType, Day, Account string }

var form = Form[folder, string]{
	Version: 1,
	Keys: KeyForm[folder]{
		Append: func(dst []byte, f folder) []byte {
			return AppendText(AppendText(AppendText(dst, f.EventType), f.Day), f.Account)
		},
		Read:  func(r *Reader) folder { return folder{r.Text(), r.Text(), r.Text()} },
		Clone: func(f folder) folder { return f },
	},
	Items: Bodies,
}

type (
	bodyRequest = request[folder, string]
	encoder     = encoding[folder, string]
)

// requestWith is a request of bodies by account.
func requestWith(bodies ...[2]string) *bodyRequest {
	r := &bodyRequest{form: &form}
	for _, b := range bodies {
		r.add(r.part(folder{EventType: "other", Day: "2026-09-15", Account: b[0]}, time.Unix(1, 0).UTC()), b[1])
	}
	return r
}

// flat is what requests hold, in order by account.
func flat(requests ...*bodyRequest) map[string][]string {
	all := map[string][]string{}
	for _, r := range requests {
		for _, p := range r.parts {
			all[p.Key.Account] = append(all[p.Key.Account], p.Items...)
		}
	}
	return all
}

// TestMergeSplit: whatever is merged and split, each record is in exactly one result, in order, results keep their limit
// and know their size.
func TestMergeSplit(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		some := func() *bodyRequest {
			r := requestWith([2]string{fmt.Sprint(rnd.IntN(3)), "first"})
			for range rnd.IntN(20) {
				r.add(r.part(folder{EventType: "other", Day: "2026-09-15", Account: fmt.Sprint(rnd.IntN(3))}, time.Time{}), strings.Repeat("x", rnd.IntN(400)))
			}
			return r
		}
		a, b := some(), some()
		sizer, limit := exporterhelper.RequestSizerTypeItems, rnd.IntN(10)
		if rnd.IntN(2) == 0 {
			sizer, limit = exporterhelper.RequestSizerTypeBytes, requestOverhead+rnd.IntN(1000)
		}
		alone, err := a.MergeSplit(t.Context(), limit, sizer, nil)
		require.NoError(t, err)
		a = alone[len(alone)-1].(*bodyRequest) // the others are on their way
		held, want := flat(a), flat(a, b)
		records := a.items + b.items
		out, err := a.MergeSplit(t.Context(), limit, sizer, b)
		require.NoError(t, err)
		var results []*bodyRequest
		n := 0
		for _, o := range out {
			r := o.(*bodyRequest)
			results = append(results, r)
			n += r.ItemsCount()
			bytes, items := len(r.parts)*partOverhead, 0
			for _, p := range r.parts {
				items += len(p.Items)
				for _, body := range p.Items {
					bytes += len(body) + bodyOverhead
				}
			}
			require.Equal(t, items, r.ItemsCount())
			require.Equal(t, bytes+requestOverhead, r.BytesSize())
			require.NotZero(t, items)
			if limit > 0 && items > 1 {
				require.LessOrEqual(t, r.size(sizer), limit)
			}
		}
		require.Equal(t, records, n)
		require.Equal(t, want, flat(results...))
		for account, bodies := range held { // the batcher acknowledges what a held when the first result is stored
			require.Equal(t, bodies, flat(results[0])[account][:len(bodies)])
		}
	}
}

// TestSplit: a request alone that is over the limit.
func TestSplit(t *testing.T) {
	r := requestWith([2]string{"a", "1"}, [2]string{"b", "2"}, [2]string{"a", "3"}, [2]string{"c", strings.Repeat("x", 1000)}, [2]string{"b", "5"})
	want := flat(r)
	out, err := r.MergeSplit(t.Context(), requestOverhead+2*(partOverhead+bodyOverhead+1), exporterhelper.RequestSizerTypeBytes, nil)
	require.NoError(t, err)
	var results []*bodyRequest
	for _, o := range out {
		results = append(results, o.(*bodyRequest))
	}
	require.Len(t, results, 3, "a a | b b | c, which alone is too large")
	assert.Equal(t, want, flat(results...))
}

// TestRoom: only a single record counts less than it is, in the queue that it must come into and out of; batches are measured
// as they are.
func TestRoom(t *testing.T) {
	const room = 1000
	one := func() *bodyRequest {
		r := requestWith([2]string{"a", strings.Repeat("x", 5*room)})
		r.room = room
		return r
	}
	assert.Equal(t, room, one().BytesSize())
	stored, err := encoder{form: &form}.Marshal(t.Context(), one())
	require.NoError(t, err)
	_, got, err := encoder{form: &form, room: room}.Unmarshal(stored)
	require.NoError(t, err)
	assert.Equal(t, room, got.(*bodyRequest).BytesSize())

	small := requestWith([2]string{"a", "{}"})
	small.room = room
	assert.Equal(t, requestOverhead+partOverhead+bodyOverhead+2, small.BytesSize())
	out, err := small.MergeSplit(t.Context(), 2*room, exporterhelper.RequestSizerTypeBytes, one())
	require.NoError(t, err)
	require.Len(t, out, 2, "together they are over the limit")
	small.merge(one())
	assert.Greater(t, small.BytesSize(), 5*room)
}

func TestMergeOfAnotherKind(t *testing.T) {
	_, err := requestWith([2]string{"a", "{}"}).MergeSplit(t.Context(), 0, exporterhelper.RequestSizerTypeItems, nil)
	require.NoError(t, err)
	_, err = requestWith([2]string{"a", "{}"}).MergeSplit(t.Context(), 0, exporterhelper.RequestSizerTypeItems, stranger{})
	require.ErrorContains(t, err, "stranger")
}

type stranger struct{ *bodyRequest }

func TestStoredForm(t *testing.T) {
	want := requestWith([2]string{"a", `{"n":1}`}, [2]string{"b", `{"n":2}`}, [2]string{"a", ""}, [2]string{"", "ü"})
	want.parts[0].First = time.Time{}
	stored, err := encoder{form: &form}.Marshal(t.Context(), want)
	require.NoError(t, err)
	_, got, err := encoder{form: &form}.Unmarshal(stored)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.True(t, got.(*bodyRequest).parts[0].First.IsZero())
	for n := range stored {
		_, _, err := encoder{form: &form}.Unmarshal(stored[:n])
		if err == nil { // cut between two parts: what is there is whole
			continue
		}
		assert.ErrorContains(t, err, "stored request")
	}
}

// TestStoredFormStays: what a queue on disk holds is read after an upgrade. A change of this form needs another version.
func TestStoredFormStays(t *testing.T) {
	stored := "\x01" + "\x05other\x0a2026-09-15\x01a\x02\x02\x07{\"n\":1}\x07{\"n\":2}" + "\x05other\x0a2026-09-15\x01b\x02\x01\x00"
	_, got, err := encoder{form: &form}.Unmarshal([]byte(stored))
	require.NoError(t, err)
	assert.Equal(t, requestWith([2]string{"a", `{"n":1}`}, [2]string{"a", `{"n":2}`}, [2]string{"b", ""}), got)
	again, err := encoder{form: &form}.Marshal(t.Context(), got)
	require.NoError(t, err)
	assert.Equal(t, stored, string(again))
	_, _, err = encoder{form: &form}.Unmarshal([]byte("\x02" + stored[1:]))
	assert.ErrorContains(t, err, "not of this version")
}

// FuzzUnmarshal: whatever the queue's storage holds, a request that is read knows its size and is stored as it was read.
func FuzzUnmarshal(f *testing.F) {
	stored, err := encoder{form: &form}.Marshal(f.Context(), requestWith([2]string{"a", `{"n":1}`}, [2]string{"b", `{"n":2}`}))
	require.NoError(f, err)
	f.Add(stored)
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, stored []byte) {
		_, r, err := encoder{form: &form}.Unmarshal(stored)
		if err != nil {
			return
		}
		items, bytes := 0, 0
		seen := map[folder]bool{}
		for _, p := range r.(*bodyRequest).parts {
			require.False(t, seen[p.Key])
			seen[p.Key] = true
			bytes += partOverhead
			for _, body := range p.Items {
				items, bytes = items+1, bytes+len(body)+bodyOverhead
			}
		}
		require.Equal(t, items, r.ItemsCount())
		require.Equal(t, requestOverhead+bytes, r.BytesSize())
		require.LessOrEqual(t, items, len(stored))
		again, err := encoder{form: &form}.Marshal(context.Background(), r)
		require.NoError(t, err)
		_, r2, err := encoder{form: &form}.Unmarshal(again)
		require.NoError(t, err)
		require.Equal(t, r, r2)
	})
}

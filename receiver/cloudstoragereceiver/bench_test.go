package cloudstoragereceiver

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/measure"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

// storedBucket holds one object in memory.
type storedBucket struct {
	trailBucket
	content []byte
}

func (b storedBucket) Open(context.Context, bucket.Object, int64) (bucket.Content, error) {
	return bucket.Content{
		Object: bucket.Object{Key: "trail.json.gz", Size: int64(len(b.content))}, Body: io.NopCloser(bytes.NewReader(b.content)),
	}, nil
}

// BenchmarkRead is the reading core alone: from the store's bytes to log records that the pipeline takes.
func BenchmarkRead(b *testing.B) {
	const records = 20_000
	text := &bytes.Buffer{}
	text.WriteString(`{"Records":[`)
	for i := range records {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(trailRecord(i))
	}
	text.WriteString(`]}`)
	for name, content := range map[string]string{"plain": text.String(), "gzip": gz(text.String()), "zstd": zst(text.String())} {
		b.Run(name, func(b *testing.B) {
			next := &discard{}
			c := readerOf(b, storedBucket{content: []byte(content)}, next)
			_, err := c.read(context.Background(), bucket.Object{Key: "trail.json.gz"}, readMode{})
			require.NoError(b, err)
			require.EqualValues(b, records, next.records.Load())
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			began := measure.CPU(b)
			for b.Loop() {
				if _, err := c.read(context.Background(), bucket.Object{Key: "trail.json.gz"}, readMode{}); err != nil {
					b.Fatal(err)
				}
			}
			// Of a core, whoever else uses the machine meanwhile.
			b.ReportMetric(float64(text.Len())*float64(b.N)/1e6/(measure.CPU(b)-began).Seconds(), "MB/cpu-s")
		})
	}
}

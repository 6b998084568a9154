package cloudstoragereceiver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/metadata"
)

// trailBucket holds one CloudTrail file that is made while it is read: packed, of so many records.
type trailBucket struct{ records int }

func (b trailBucket) Open(context.Context, bucket.Object, int64) (bucket.Content, error) {
	r, w := io.Pipe()
	go func() {
		zw, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		buffered := bufio.NewWriterSize(zw, 1<<20)
		_, _ = buffered.WriteString(`{"Records":[`)
		for i := range b.records {
			if i > 0 {
				_ = buffered.WriteByte(',')
			}
			if _, err := buffered.WriteString(trailRecord(i)); err != nil {
				return // closed
			}
		}
		_, _ = buffered.WriteString(`]}`)
		_ = buffered.Flush()
		_ = w.CloseWithError(zw.Close())
	}()
	return bucket.Content{Object: bucket.Object{Key: "trail.json.gz", Size: -1}, Body: r}, nil
}

func (trailBucket) Page(context.Context, string, string) ([]bucket.Object, string, error) {
	return nil, "", nil
}
func (trailBucket) URL(o bucket.Object) string { return "s3://trail/" + o.Key }
func (trailBucket) Name() string               { return "trail" }
func (trailBucket) Close() error               { return nil }

func trailRecord(i int) string {
	return fmt.Sprintf(`{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:session-%d","arn":"arn:aws:sts::111122223333:assumed-role/Admin/session-%d","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/Admin","accountId":"111122223333","userName":"Admin"},"attributes":{"creationDate":"2026-05-01T10:00:00Z","mfaAuthenticated":"false"}}},"eventTime":"2026-05-01T10:%02d:%02dZ","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.%d","userAgent":"aws-cli/2.15.0","requestParameters":{"instancesSet":{},"filterSet":{}},"responseElements":null,"requestID":"b1f2c3d4-%08d","eventID":"%08d-1111-2222-3333-444455556666","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}`,
		i, i, i/60%60, i%60, i%250, i, i)
}

// discard counts what it takes.
type discard struct {
	records, bytes atomic.Int64
	each           func() // unless nil, after each batch
}

func (*discard) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (d *discard) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	d.records.Add(int64(logs.LogRecordCount()))
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				d.bytes.Add(int64(len(lr.Body().Str())))
			}
		}
	}
	if d.each != nil {
		d.each()
	}
	return nil
}

func readerOf(t testing.TB, b bucket.Bucket, next consumer.Logs) *cloudStorage {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	set := receivertest.NewNopSettings(metadata.Type)
	telemetry := componenttest.NewTelemetry()
	t.Cleanup(func() { _ = telemetry.Shutdown(context.Background()) })
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	c, err := newCloudStorage(set, cfg, next)
	require.NoError(t, err)
	t.Cleanup(c.telemetry.Shutdown)
	c.bucket, c.state = b, newState(nil)
	return c
}

// TestMemoryOfALargeFile: a CloudTrail file of 500 MB unpacked needs some megabytes; the garbage beside them is what GOGC says.
func TestMemoryOfALargeFile(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 500 MB")
	}
	const unpacked = 500 << 20
	records := unpacked/len(trailRecord(0)) + 1
	peak, batches := uint64(0), 0
	next := &discard{each: func() {
		if batches++; batches%5 == 0 {
			runtime.GC() // what is garbage depends on the machine
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc+m.StackInuse)
		}
	}}
	c := readerOf(t, trailBucket{records}, next)
	began := time.Now()
	_, err := c.read(context.Background(), bucket.Object{Key: "trail.json.gz"}, readMode{})
	took := time.Since(began)
	require.NoError(t, err)
	require.Greater(t, batches, 100)
	assert.EqualValues(t, records, next.records.Load())
	assert.Greater(t, next.bytes.Load(), int64(unpacked)*99/100)
	t.Logf("%d records, %d MB in %s (%.0f MB/s, with packing them), at most %d MB in use", records, next.bytes.Load()>>20, took.Round(time.Millisecond),
		float64(next.bytes.Load()>>20)/took.Seconds(), peak>>20)
	assert.Less(t, peak, uint64(32<<20))
}

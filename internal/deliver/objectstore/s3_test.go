package objectstore

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/peers"
)

var partition = Partition{EventType: "security_finding", Day: "2026-01-02", Account: "111122223333"}

func TestS3(t *testing.T) {
	server := peers.StartS3(t)
	server.CreateBucket(t, "lake")
	opts := S3Options{Bucket: "lake", Region: server.Region, Endpoint: server.Endpoint, ForcePathStyle: true, Tags: map[string]string{"team": "sec ops+1"}, StorageClass: "STANDARD"}
	store, err := NewS3(t.Context(), opts)
	require.NoError(t, err)

	large := make([]byte, 2*partBytes+100)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(large)
	for name, lines := range map[string][]byte{"one request": []byte("{\"a\":1}\n"), "parts": large} {
		for _, compression := range []Compression{None, Gzip, Zstd} {
			t.Run(name+" "+string(compression), func(t *testing.T) {
				o, err := NewObject("Panoptica", partition, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), lines, compression)
				require.NoError(t, err)
				existed, err := store.Put(t.Context(), o)
				require.NoError(t, err)
				assert.False(t, existed)
				existed, err = store.Put(t.Context(), o)
				require.NoError(t, err)
				assert.True(t, existed, "the second time it is there already")

				got := server.Objects(t, "lake")[o.Key]
				assert.True(t, bytes.Equal(o.Content, got), "%d bytes, want %d", len(got), len(o.Content))
				head, err := server.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &opts.Bucket, Key: &o.Key})
				require.NoError(t, err)
				assert.Equal(t, contentType, *head.ContentType)
				if compression != None {
					assert.Equal(t, string(compression), *head.ContentEncoding)
				}
			})
		}
	}
}

func TestS3Errors(t *testing.T) {
	server := peers.StartS3(t)
	server.CreateBucket(t, "lake")
	good := S3Options{Bucket: "lake", Region: server.Region, Endpoint: server.Endpoint, ForcePathStyle: true}
	o, err := NewObject("Panoptica", partition, time.Now(), []byte("{}\n"), None)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(t *testing.T, o *S3Options)
		hint   string
	}{
		"no such bucket": {func(_ *testing.T, o *S3Options) { o.Bucket = "absent" }, "create the bucket"},
		"wrong key":      {func(t *testing.T, _ *S3Options) { t.Setenv("AWS_ACCESS_KEY_ID", "nobody") }, "access key does not exist"},
		"wrong secret":   {func(t *testing.T, _ *S3Options) { t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong") }, "secret key"},
		"wrong region":   {func(_ *testing.T, o *S3Options) { o.Region = "eu-west-1" }, "region"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := good
			c.change(t, &opts)
			store, err := NewS3(t.Context(), opts)
			require.NoError(t, err)
			_, err = store.Put(t.Context(), o)
			var failed *Error
			require.ErrorAs(t, err, &failed)
			assert.Contains(t, failed.Hint, c.hint, err.Error())
			assert.False(t, failed.Permanent, "somebody can mend it, and the records wait")
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		opts := good
		opts.Endpoint = "http://" + peers.FreeAddress(t)
		store, err := NewS3(t.Context(), opts)
		require.NoError(t, err)
		_, err = store.Put(t.Context(), o)
		var failed *Error
		require.ErrorAs(t, err, &failed)
		assert.False(t, failed.Permanent)
	})
}

func TestSegment(t *testing.T) {
	for in, want := range map[string]string{
		"": "unknown", ".": "_", "..": "__", "...": "...", "../x": ".._x", "a b/é\x00": "a_b____", "AWS.CloudTrail": "AWS.CloudTrail",
		"111122223333,444455556666": "111122223333_444455556666", strings.Repeat("x", 200): strings.Repeat("x", 128),
	} {
		assert.Equal(t, want, Segment(in), in)
	}
}

func TestAppendLine(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1}`: "{\"a\":1}\n", "{\"a\":\n1}": "{\"a\":1}\n", "text\nof two lines": "\"text\\nof two lines\"\n", "": "\n",
	} {
		assert.Equal(t, want, string(AppendLine(nil, in)))
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	store, err := NewDirectory(dir)
	require.NoError(t, err)
	defer store.Close()
	o, err := NewObject("Panoptica", partition, time.Now(), []byte("{}\n"), Zstd)
	require.NoError(t, err)
	for _, want := range []bool{false, true} {
		existed, err := store.Put(t.Context(), o)
		require.NoError(t, err)
		assert.Equal(t, want, existed)
	}
	_, err = store.Put(t.Context(), Object{Key: "../outside", Content: []byte("x")})
	var failed *Error
	assert.ErrorAs(t, err, &failed)

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = store.Put(cancelled, o)
	assert.True(t, errors.Is(err, context.Canceled))
}

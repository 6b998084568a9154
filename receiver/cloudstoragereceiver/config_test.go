package cloudstoragereceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"
)

func settings(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &out))
	return out
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		config string
		want   []string // parts of the error; none when it is right
	}{
		"S3 and SQS":            {"{s3: {bucket: b}, notifications: {sqs: {queue_url: 'https://sqs.eu-central-1.amazonaws.com/1/q'}}}", nil},
		"any bucket":            {"{s3: {}, notifications: {sqs: {queue_url: 'https://sqs.eu-central-1.amazonaws.com/1/q'}}}", nil},
		"S3 by listing":         {"{s3: {bucket: b}, storage: file_storage}", nil},
		"Azure":                 {"{azure_blob: {account_url: 'https://a.blob.core.windows.net', container: c}, storage: file_storage, poll: {interval: 5m}}", nil},
		"Azure with its queue":  {"{azure_blob: {connection_string: x}, notifications: {storage_queue: {queue: q}}}", nil},
		"Google":                {"{gcs: {bucket: b}, notifications: {pubsub: {project: p, subscription: s}}}", nil},
		"formats":               {"{s3: {bucket: b}, storage: file_storage, formats: [{key: '*/x/*', format: panoptica}]}", nil},
		"nothing":               {"{}", []string{"s3, azure_blob or gcs", "storage: required"}},
		"two stores":            {"{s3: {bucket: b}, gcs: {bucket: b}, storage: file_storage}", []string{"gcs: not together with s3"}},
		"another's queue":       {"{s3: {bucket: b}, notifications: {pubsub: {project: p, subscription: s}}}", []string{"notifications::pubsub: tells of objects in gcs, not in s3"}},
		"two queues":            {"{s3: {bucket: b}, notifications: {sqs: {queue_url: 'https://x/q'}, pubsub: {project: p, subscription: s}}}", []string{"notifications::pubsub: not together with sqs"}},
		"queue and listing":     {"{s3: {bucket: b}, notifications: {sqs: {queue_url: 'https://x/q'}}, poll: {interval: 1m}}", []string{"poll: not together with notifications"}},
		"listing of no bucket":  {"{s3: {}, storage: file_storage}", []string{"s3::bucket: required"}},
		"listing of nothing":    {"{azure_blob: {connection_string: x}, storage: file_storage}", []string{"azure_blob::container: required"}},
		"no account":            {"{azure_blob: {container: c}, storage: file_storage}", []string{"account_url or connection_string"}},
		"both accounts":         {"{azure_blob: {account_url: 'https://x', connection_string: x, container: c}, storage: file_storage}", []string{"account_url: not together"}},
		"queue without address": {"{azure_blob: {account_url: 'https://x'}, notifications: {storage_queue: {queue: q}}}", []string{"notifications::storage_queue: queue_url or connection_string"}},
		"formats unknown":       {"{s3: {bucket: b}, storage: file_storage, format: x, formats: [{key: '', format: y}]}", []string{`format: unknown "x"`, "key: required", `unknown "y"`}},
		"numbers": {"{s3: {bucket: b}, storage: file_storage, concurrency: 0, max_unpacked_size: 0, max_tries: 0, retry_delay: 0s, read_timeout: 0s, progress_interval: 0s, poll: {interval: 0s, overlap: 1s}}",
			[]string{"concurrency:", "max_unpacked_size:", "max_tries:", "retry_delay:", "read_timeout:", "progress_interval:", "interval:", "overlap:"}},
		"a time":            {"{s3: {bucket: b}, storage: file_storage, poll: {start_time: 2026-01-31T00:00:00Z}}", nil},
		"a time in quotes":  {"{s3: {bucket: b}, storage: file_storage, poll: {start_time: '2026-01-31T00:00:00+02:00'}}", nil},
		"a time that is no": {"{s3: {bucket: b}, storage: file_storage, poll: {start_time: yesterday}}", []string{"start_time"}},
		"queue settings":    {"{s3: {bucket: b}, notifications: {sqs: {queue_url: q, visibility_timeout: 1s}}}", []string{"queue_url:", "visibility_timeout:"}},
		"misspelled":        {"{s3: {bukket: b}, storage: file_storage}", []string{"bukket"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := load(settings(t, test.config))
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			for _, part := range test.want {
				assert.ErrorContains(t, err, part)
			}
		})
	}
}

func TestSQSIdentity(t *testing.T) {
	s3 := &S3Config{Region: "us-east-1", RoleARN: "arn:aws:iam::1:role/r", ExternalID: "e", SessionName: "s"}
	got := (&SQSConfig{QueueURL: "https://sqs.eu-central-1.amazonaws.com/1/q"}).aws(s3)
	assert.Equal(t, "eu-central-1", got.Region)
	assert.Equal(t, s3.RoleARN, got.RoleARN)
	assert.Equal(t, "e", got.ExternalID)
	got = (&SQSConfig{QueueURL: "http://localhost:1/1/q", RoleARN: "other"}).aws(s3)
	assert.Equal(t, "us-east-1", got.Region)
	assert.Equal(t, "other", got.RoleARN)
	assert.Empty(t, got.ExternalID, "another role has an external ID of its own")
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		pattern, key string
		want         bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/bc", false}, {"*", "", true}, {"*", "a/b", true}, {"a*", "a", true}, {"a*", "ba", false},
		{"*.gz", "a/b.gz", true}, {"*.gz", "a.gzip", false}, {"*/CloudTrail/*", "AWSLogs/1/CloudTrail/x", true},
		{"*/CloudTrail/*", "AWSLogs/1/CloudTrail-Digest/x", false}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "a-c-b", false}, {"ab*ba", "aba", false},
		{"*a*", "xax", true}, {"a**c", "abc", true},
	} {
		assert.Equal(t, test.want, matches(test.pattern, test.key), "%s %s", test.pattern, test.key)
	}
}

func TestRetryDelay(t *testing.T) {
	c := &cloudStorage{cfg: &Config{RetryDelay: 10 * time.Second}}
	for tries, want := range map[int]time.Duration{0: 10 * time.Second, 1: 10 * time.Second, 2: 20 * time.Second, 3: 40 * time.Second, 50: maxRetryDelay} {
		assert.Equal(t, want, c.retryDelay(tries), tries)
	}
}

func TestFormatOf(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(settings(t,
		"{format: panoptica, formats: [{key: 'a/*', format: auto}, {key: '*.pp', format: perception_point}]}")).Unmarshal(cfg))
	assert.Equal(t, "", cfg.formatOf("a/b.pp"))
	assert.Equal(t, "perception_point", cfg.formatOf("b.pp"))
	assert.Equal(t, "panoptica", cfg.formatOf("b"))
}

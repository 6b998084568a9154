package panopticas3exporter

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
)

// Values of keys.
const (
	partitionByEvent  = "event"
	partitionByExport = "export"
	testOff           = "off"
	testOnStart       = "on_start"
)

// Defaults, with what speaks for them.
const (
	// An upload of the largest batch takes seconds; a store that needs longer is down.
	defaultTimeout = 30 * time.Second
	// Panoptica promises events in the bucket within a minute; half of it is left for the upload and one retry.
	defaultFlushTimeout = 30 * time.Second
	// Of a batch, before compression: a quarter of what waits, and with fifty partitions still more than half a megabyte for an
	// object. There is no upper limit: what receivers take in one request limits batches too.
	defaultMinBatchBytes = 32 << 20
	// As many records of 1 KiB, where batches are counted in items.
	defaultMinBatchItems = defaultMinBatchBytes >> 10
	// What waits in memory while the store is away, before receivers are made to wait.
	defaultQueueBytes = 128 << 20
	// Below it the number was meant in requests or records, or batches of some records would each be an object: it is what the
	// longest record takes that is parsed (max_record_bytes of the siem processor). A longer one comes through all the same.
	minQueueBytes = 1 << 20
	// Batches on their way at the same time, each with several uploads: one is made ready while the other waits for the store.
	defaultConsumers = 2
)

// Config is what users may say about the exporter.
type Config struct {
	TimeoutConfig exporterhelper.TimeoutConfig                             `mapstructure:",squash"`
	RetryConfig   configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`
	QueueConfig   configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`

	// Bucket and what belongs to it.
	Bucket              string            `mapstructure:"bucket"`
	Region              string            `mapstructure:"region"`
	Endpoint            string            `mapstructure:"endpoint"`
	ForcePathStyle      bool              `mapstructure:"force_path_style"`
	RoleARN             string            `mapstructure:"role_arn"`
	ExternalID          string            `mapstructure:"external_id"`
	SessionName         string            `mapstructure:"session_name"`
	ACL                 string            `mapstructure:"acl"`
	SSE                 SSEConfig         `mapstructure:"server_side_encryption"`
	StorageClass        string            `mapstructure:"storage_class"`
	Tags                map[string]string `mapstructure:"tags"`
	ExpectedBucketOwner string            `mapstructure:"expected_bucket_owner"`

	// Directory takes the place of Bucket.
	Directory string `mapstructure:"directory"`

	Root          string `mapstructure:"root"`
	EventType     string `mapstructure:"event_type"`
	PartitionTime string `mapstructure:"partition_time"`
	Compression   string `mapstructure:"compression"`
	TestMessage   string `mapstructure:"test_message"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// SSEConfig is how the bucket encrypts.
type SSEConfig struct {
	Type     string `mapstructure:"type"`
	KMSKeyID string `mapstructure:"kms_key_id"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var (
	_ confmap.Validator   = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

func createDefaultConfig() component.Config {
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.BlockOnOverflow = true // what was accepted is not dropped
	queue.Sizer = exporterhelper.RequestSizerTypeBytes
	queue.QueueSize = defaultQueueBytes
	queue.NumConsumers = defaultConsumers
	queue.Batch = configoptional.Some(exporterhelper.BatchConfig{
		FlushTimeout: defaultFlushTimeout,
		Sizer:        exporterhelper.RequestSizerTypeBytes,
		MinSize:      defaultMinBatchBytes,
	})
	retry := configretry.NewDefaultBackOffConfig()
	retry.MaxElapsedTime = 0 // until it works
	return &Config{
		TimeoutConfig: exporterhelper.TimeoutConfig{Timeout: defaultTimeout},
		RetryConfig:   retry,
		QueueConfig:   configoptional.Some(queue),
		ACL:           objectstore.DefaultACL,
		Root:          objectstore.DefaultRoot,
		PartitionTime: partitionByEvent,
		Compression:   string(objectstore.None),
		TestMessage:   testOff,
	}
}

// Unmarshal lets the default of min_size follow a queue_size or max_size that was made smaller, and a sizer that was changed. No
// number of bytes does for a queue_size in anything else.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := conf.Unmarshal(c); err != nil {
		return err
	}
	if !c.QueueConfig.HasValue() {
		return nil
	}
	queue := c.QueueConfig.Get()
	if queue.Sizer != exporterhelper.RequestSizerTypeBytes && !conf.IsSet("sending_queue::queue_size") {
		queue.QueueSize = 0
	}
	if !queue.Batch.HasValue() || conf.IsSet("sending_queue::batch::min_size") {
		return nil
	}
	batch := queue.Batch.Get()
	if batch.Sizer != exporterhelper.RequestSizerTypeBytes {
		batch.MinSize = defaultMinBatchItems
	}
	if batch.Sizer == queue.Sizer && queue.QueueSize > 0 {
		batch.MinSize = min(batch.MinSize, max(1, queue.QueueSize/(defaultQueueBytes/defaultMinBatchBytes)))
	}
	if batch.MaxSize > 0 {
		batch.MinSize = min(batch.MinSize, batch.MaxSize)
	}
	return nil
}

// Validate names every key that is wrong.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	oneOf := func(key, value string, allowed ...string) {
		for _, a := range allowed {
			if value == a {
				return
			}
		}
		bad(key, "%q, want one of %s", value, strings.Join(allowed, ", "))
	}
	switch {
	case c.Bucket == "" && c.Directory == "":
		bad("bucket", "required, or directory in its place")
	case c.Bucket != "" && c.Directory != "":
		bad("directory", "set beside bucket; use two exporters")
	}
	options := c.s3()
	for _, m := range options.Mistakes() {
		bad(strings.ReplaceAll(m.Key, ".", "::"), "%s", m.Text)
	}
	if len(c.Root) > objectstore.MaxRootBytes {
		bad("root", "%d bytes, want at most %d", len(c.Root), objectstore.MaxRootBytes)
	}
	oneOf("partition_time", c.PartitionTime, partitionByEvent, partitionByExport)
	oneOf("compression", c.Compression, string(objectstore.None), string(objectstore.Gzip), string(objectstore.Zstd))
	oneOf("test_message", c.TestMessage, testOff, testOnStart)
	if c.QueueConfig.HasValue() {
		queue := c.QueueConfig.Get()
		switch isBytes := queue.Sizer == exporterhelper.RequestSizerTypeBytes; {
		case isBytes && queue.QueueSize < minQueueBytes:
			bad("sending_queue::queue_size", "%d bytes, want at least %d, or a sizer other than bytes", queue.QueueSize, minQueueBytes)
		case !isBytes && queue.QueueSize == 0:
			bad("sending_queue::queue_size", "required with sizer %s", queue.Sizer.String())
		}
		if queue.Batch.HasValue() && len(queue.Batch.Get().Partition.MetadataKeys) > 0 {
			bad("sending_queue::batch::partition::metadata_keys", "the exporter itself keeps partitions apart")
		}
	}
	return errors.Join(errs...)
}

// s3 are the core's options for the bucket.
func (c *Config) s3() objectstore.S3Options {
	return objectstore.S3Options{
		Bucket: c.Bucket, Region: c.Region, Endpoint: c.Endpoint, ForcePathStyle: c.ForcePathStyle,
		RoleARN: c.RoleARN, ExternalID: c.ExternalID, SessionName: c.SessionName,
		ACL: c.ACL, SSEType: c.SSE.Type, SSEKMSKeyID: c.SSE.KMSKeyID, StorageClass: c.StorageClass, Tags: c.Tags,
		ExpectedBucketOwner: c.ExpectedBucketOwner,
	}
}

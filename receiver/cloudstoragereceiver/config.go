package cloudstoragereceiver

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/unpack"
)

// Defaults, with what speaks for them.
const (
	// Objects at once: enough to hide the store's latency on two cores. Memory grows with it.
	defaultConcurrency = 4
	maxConcurrency     = 1000
	// Far above what services write into one object, and it streams: the limit is on the work of one object, not on memory.
	defaultMaxUnpackedSize = 4 << 30
	defaultMaxTries        = 5
	defaultRetryDelay      = 10 * time.Second
	maxRetryDelay          = 15 * time.Minute
	// A store that sends nothing for so long has lost the connection.
	defaultReadTimeout      = time.Minute
	defaultProgressInterval = time.Minute

	// The time in which a collector that died holds its messages back from others.
	defaultVisibilityTimeout = 5 * time.Minute
	minVisibilityTimeout     = 3 * time.Second
	maxVisibilityTimeout     = 12 * time.Hour // SQS's

	defaultPollInterval = time.Minute
	// S3 dates an object by the beginning of its upload and shows it at its end; an upload that takes longer is missed.
	defaultPollOverlap = time.Hour
	// Dates are in whole seconds and of the store's clock.
	minPollOverlap = 2 * time.Second
)

// Config is what users may say about the receiver.
type Config struct {
	// Format is the source format of the objects; auto finds out the format of each record.
	Format string `mapstructure:"format"`
	// Formats names the format of objects by their keys; the first that matches holds, and format for the rest.
	Formats []KeyFormat `mapstructure:"formats"`

	// S3 is the bucket in Amazon S3 or a store that speaks like it.
	S3 configoptional.Optional[S3Config] `mapstructure:"s3"`
	// AzureBlob is the container in Azure Blob Storage.
	AzureBlob configoptional.Optional[AzureBlobConfig] `mapstructure:"azure_blob"`
	// GCS is the bucket in Google Cloud Storage.
	GCS configoptional.Optional[GCSConfig] `mapstructure:"gcs"`

	// Notifications is the queue that tells of new objects.
	Notifications NotificationsConfig `mapstructure:"notifications"`
	// Poll is how objects are found where there are no notifications.
	Poll configoptional.Optional[PollConfig] `mapstructure:"poll"`
	// Storage is the storage extension that keeps checkpoints and progress; required with poll.
	Storage *component.ID `mapstructure:"storage"`

	// CloudTrailDigests is about the digest files that CloudTrail writes beside its log files in S3.
	CloudTrailDigests CloudTrailDigestsConfig `mapstructure:"cloudtrail_digests"`

	// Concurrency is how many objects are read at once.
	Concurrency int `mapstructure:"concurrency"`
	// MaxUnpackedSize bounds an object after decompression, in bytes.
	MaxUnpackedSize int64 `mapstructure:"max_unpacked_size"`
	// MaxTries is after how many tries a message or object that cannot be read goes on as an invalid record; 0 leaves it to the queue's dead-letter policy.
	MaxTries int `mapstructure:"max_tries"`
	// RetryDelay is the wait before the second try; it doubles with each, up to 15m.
	RetryDelay time.Duration `mapstructure:"retry_delay"`
	// ReadTimeout is how long the store may send nothing before it is asked again.
	ReadTimeout time.Duration `mapstructure:"read_timeout"`
	// ProgressInterval is how often progress is logged while there is any.
	ProgressInterval time.Duration `mapstructure:"progress_interval"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// KeyFormat names the format of objects by their keys.
type KeyFormat struct {
	// Key is a pattern of the whole key; * stands for any characters, / included.
	Key string `mapstructure:"key"`
	// Format is the source format.
	Format string `mapstructure:"format"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// S3Config is a bucket in Amazon S3 or a store that speaks like it.
type S3Config struct {
	// Bucket is the bucket; with notifications it may be left out, and then every bucket that they name is read.
	Bucket string `mapstructure:"bucket"`
	// Prefix is what the keys of all objects that are read begin with.
	Prefix string `mapstructure:"prefix"`
	// Region is the bucket's region; empty takes the environment's or the profile's.
	Region string `mapstructure:"region"`
	// Endpoint is the address of another store than AWS's.
	Endpoint string `mapstructure:"endpoint"`
	// ForcePathStyle puts the bucket into the path of addresses.
	ForcePathStyle bool `mapstructure:"force_path_style"`
	// RoleARN is a role to take on.
	RoleARN string `mapstructure:"role_arn"`
	// ExternalID goes with the role.
	ExternalID string `mapstructure:"external_id"`
	// SessionName goes with the role.
	SessionName string `mapstructure:"session_name"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// AzureBlobConfig is a container in Azure Blob Storage.
type AzureBlobConfig struct {
	// AccountURL is the account's address, https://<account>.blob.core.windows.net; credentials are found in the environment.
	AccountURL string `mapstructure:"account_url"`
	// ConnectionString holds address and key of the account, in place of account_url.
	ConnectionString configopaque.String `mapstructure:"connection_string"`
	// Container is the container; with notifications it may be left out, and then every container that they name is read.
	Container string `mapstructure:"container"`
	// Prefix is what the names of all blobs that are read begin with.
	Prefix string `mapstructure:"prefix"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// GCSConfig is a bucket in Google Cloud Storage.
type GCSConfig struct {
	// Bucket is the bucket; with notifications it may be left out, and then every bucket that they name is read.
	Bucket string `mapstructure:"bucket"`
	// Prefix is what the names of all objects that are read begin with.
	Prefix string `mapstructure:"prefix"`
	// Endpoint is the address of another store than Google's; with http:// it is asked without credentials.
	Endpoint string `mapstructure:"endpoint"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// CloudTrailDigestsConfig is about the digest files that CloudTrail writes beside its log files in S3.
type CloudTrailDigestsConfig struct {
	// Check checks each digest that is read against the one before it and the log files that it lists; what does not hold becomes a Critical finding.
	Check bool `mapstructure:"check"`
	// PublicKeys is a file of CloudTrail's public keys, the answer of aws cloudtrail list-public-keys or PEM; with it signatures are checked too.
	PublicKeys string `mapstructure:"public_keys"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// NotificationsConfig is the queue that tells of new objects.
type NotificationsConfig struct {
	// SQS is the queue for s3.
	SQS configoptional.Optional[SQSConfig] `mapstructure:"sqs"`
	// PubSub is the subscription for gcs.
	PubSub configoptional.Optional[PubSubConfig] `mapstructure:"pubsub"`
	// StorageQueue is the queue for azure_blob.
	StorageQueue configoptional.Optional[StorageQueueConfig] `mapstructure:"storage_queue"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// SQSConfig is a queue in Amazon SQS.
type SQSConfig struct {
	// QueueURL is the queue's address.
	QueueURL string `mapstructure:"queue_url"`
	// Region is the queue's region; empty takes that of queue_url, or else s3::region.
	Region string `mapstructure:"region"`
	// Endpoint is the address of another service than AWS's.
	Endpoint string `mapstructure:"endpoint"`
	// RoleARN is a role to take on; empty takes s3::role_arn, with its external_id and session_name.
	RoleARN string `mapstructure:"role_arn"`
	// ExternalID goes with the role.
	ExternalID string `mapstructure:"external_id"`
	// SessionName goes with the role.
	SessionName string `mapstructure:"session_name"`
	// VisibilityTimeout is how long a message is hidden from others at a time; it is extended while the message is worked on.
	VisibilityTimeout time.Duration `mapstructure:"visibility_timeout"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// PubSubConfig is a subscription in Google Pub/Sub.
type PubSubConfig struct {
	// Project is the subscription's project.
	Project string `mapstructure:"project"`
	// Subscription is the subscription's name.
	Subscription string `mapstructure:"subscription"`
	// Endpoint is the address of another service than Google's; with http:// it is asked without TLS and credentials.
	Endpoint string `mapstructure:"endpoint"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// StorageQueueConfig is a queue in Azure Queue Storage.
type StorageQueueConfig struct {
	// QueueURL is the queue's address, https://<account>.queue.core.windows.net/<queue>; credentials are found in the environment.
	QueueURL string `mapstructure:"queue_url"`
	// ConnectionString holds address and key of the account, in place of queue_url; empty takes azure_blob::connection_string.
	ConnectionString configopaque.String `mapstructure:"connection_string"`
	// Queue is the queue's name, with connection_string.
	Queue string `mapstructure:"queue"`
	// VisibilityTimeout is how long a message is hidden from others at a time; it is extended while the message is worked on.
	VisibilityTimeout time.Duration `mapstructure:"visibility_timeout"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// PollConfig is how objects are found by listing.
type PollConfig struct {
	// Interval is the time between the end of one listing and the beginning of the next.
	Interval time.Duration `mapstructure:"interval"`
	// StartTime leaves out objects written before it, as 2026-01-31T00:00:00Z; empty reads all that are there.
	StartTime time.Time `mapstructure:"start_time"`
	// Overlap is how much later than its date an object may show up.
	Overlap time.Duration `mapstructure:"overlap"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var (
	_ confmap.Validator = (*Config)(nil)
	_ confmap.Validator = (*AzureBlobConfig)(nil)
	_ confmap.Validator = (*SQSConfig)(nil)
	_ confmap.Validator = (*PubSubConfig)(nil)
	_ confmap.Validator = (*StorageQueueConfig)(nil)
	_ confmap.Validator = (*PollConfig)(nil)
	_ confmap.Validator = (*KeyFormat)(nil)
)

func createDefaultConfig() component.Config {
	return &Config{
		Format:    format.Auto,
		S3:        configoptional.Default(S3Config{}),
		AzureBlob: configoptional.Default(AzureBlobConfig{}),
		GCS:       configoptional.Default(GCSConfig{}),
		Notifications: NotificationsConfig{
			SQS:          configoptional.Default(SQSConfig{VisibilityTimeout: defaultVisibilityTimeout}),
			PubSub:       configoptional.Default(PubSubConfig{}),
			StorageQueue: configoptional.Default(StorageQueueConfig{VisibilityTimeout: defaultVisibilityTimeout}),
		},
		CloudTrailDigests: CloudTrailDigestsConfig{Check: true},
		Poll:              configoptional.Default(PollConfig{Interval: defaultPollInterval, Overlap: defaultPollOverlap}),
		Concurrency:       defaultConcurrency,
		MaxUnpackedSize:   defaultMaxUnpackedSize,
		MaxTries:          defaultMaxTries,
		RetryDelay:        defaultRetryDelay,
		ReadTimeout:       defaultReadTimeout,
		ProgressInterval:  defaultProgressInterval,
	}
}

// unpackLimit bounds an object after decompression.
func (c *Config) unpackLimit() unpack.Limit {
	return unpack.Limit{Bytes: c.MaxUnpackedSize, Setting: "max_unpacked_size"}
}

// Validate names every key that is wrong.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !knownFormat(c.Format) {
		fail("format: unknown %.64q, want %s or one of %s", c.Format, format.Auto, strings.Join(format.Names(), ", "))
	}
	stores := []struct {
		key, bucketKey, bucket string
		set                    bool
	}{
		{"s3", "bucket", value(c.S3).Bucket, c.S3.HasValue()},
		{"azure_blob", "container", value(c.AzureBlob).Container, c.AzureBlob.HasValue()},
		{"gcs", "bucket", value(c.GCS).Bucket, c.GCS.HasValue()},
	}
	queues := []struct {
		key, store string
		set        bool
	}{
		{"sqs", "s3", c.Notifications.SQS.HasValue()},
		{"storage_queue", "azure_blob", c.Notifications.StorageQueue.HasValue()},
		{"pubsub", "gcs", c.Notifications.PubSub.HasValue()},
	}
	var store, queue string
	for _, s := range stores {
		switch {
		case !s.set:
		case store != "":
			fail("%s: not together with %s; give each store a receiver of its own", s.key, store)
		default:
			store = s.key
		}
	}
	if store == "" {
		fail("s3, azure_blob or gcs: one of them is required")
	}
	for _, q := range queues {
		switch {
		case !q.set:
		case queue != "":
			fail("notifications::%s: not together with %s", q.key, queue)
		case store != "" && q.store != store:
			fail("notifications::%s: tells of objects in %s, not in %s", q.key, q.store, store)
			queue = q.key
		default:
			queue = q.key
		}
	}
	if queue == "" {
		for _, s := range stores {
			if s.set && s.bucket == "" {
				fail("%s::%s: required where there are no notifications", s.key, s.bucketKey)
			}
		}
		if c.Storage == nil {
			fail("storage: required where there are no notifications; without a checkpoint every start would read everything again")
		}
		if c.MaxTries == 0 {
			fail("max_tries: 0, want a positive number where there are no notifications and so no dead-letter policy")
		}
	} else if c.Poll.HasValue() {
		fail("poll: not together with notifications; give it a receiver of its own, with a start_time for a backfill")
	}
	if c.Concurrency < 1 || c.Concurrency > maxConcurrency {
		fail("concurrency: %d, want 1 to %d", c.Concurrency, maxConcurrency)
	}
	if c.MaxUnpackedSize < 1 {
		fail("max_unpacked_size: %d, want a positive number of bytes", c.MaxUnpackedSize)
	}
	if c.MaxTries < 0 {
		fail("max_tries: %d, want 0 or more", c.MaxTries)
	}
	if c.RetryDelay < time.Second || c.RetryDelay > maxRetryDelay {
		fail("retry_delay: %s, want 1s to %s", c.RetryDelay, maxRetryDelay)
	}
	if c.ReadTimeout < time.Second {
		fail("read_timeout: %s, want at least 1s", c.ReadTimeout)
	}
	if c.ProgressInterval < time.Second {
		fail("progress_interval: %s, want at least 1s", c.ProgressInterval)
	}
	if sq := c.Notifications.StorageQueue; sq.HasValue() && sq.Get().QueueURL == "" && sq.Get().ConnectionString == "" &&
		value(c.AzureBlob).ConnectionString == "" {
		fail("notifications::storage_queue: queue_url or connection_string is required")
	}
	return errors.Join(errs...)
}

// value is what is set, or else the zero value.
func value[T any](o configoptional.Optional[T]) (v T) {
	if o.HasValue() {
		v = *o.Get()
	}
	return v
}

func knownFormat(name string) bool {
	_, ok := format.Lookup(name)
	return ok || name == format.Auto
}

// Validate names every key that is wrong.
func (k *KeyFormat) Validate() error {
	var errs []error
	if k.Key == "" {
		errs = append(errs, errors.New("key: required, a pattern like */CloudTrail/*"))
	}
	if !knownFormat(k.Format) {
		errs = append(errs, fmt.Errorf("format: unknown %.64q, want %s or one of %s", k.Format, format.Auto, strings.Join(format.Names(), ", ")))
	}
	return errors.Join(errs...)
}

// Validate names every key that is wrong.
func (a *AzureBlobConfig) Validate() error {
	switch {
	case a.AccountURL == "" && a.ConnectionString == "":
		return errors.New("account_url or connection_string: one of them is required")
	case a.AccountURL != "" && a.ConnectionString != "":
		return errors.New("account_url: not together with connection_string")
	}
	return address("account_url", a.AccountURL, false)
}

// Validate names every key that is wrong.
func (s *SQSConfig) Validate() error {
	return errors.Join(address("queue_url", s.QueueURL, true), visibility(s.VisibilityTimeout))
}

// Validate names every key that is wrong.
func (p *PubSubConfig) Validate() error {
	var errs []error
	if p.Project == "" {
		errs = append(errs, errors.New("project: required"))
	}
	if p.Subscription == "" || strings.Contains(p.Subscription, "/") {
		errs = append(errs, fmt.Errorf("subscription: %q, want the name alone", p.Subscription))
	}
	return errors.Join(errs...)
}

// Validate names every key that is wrong.
func (s *StorageQueueConfig) Validate() error {
	errs := []error{visibility(s.VisibilityTimeout), address("queue_url", s.QueueURL, false)}
	switch {
	case s.QueueURL != "" && s.ConnectionString != "":
		errs = append(errs, errors.New("queue_url: not together with connection_string"))
	case s.QueueURL == "" && s.Queue == "":
		errs = append(errs, errors.New("queue: required without queue_url"))
	}
	return errors.Join(errs...)
}

// Validate names every key that is wrong.
func (p *PollConfig) Validate() error {
	var errs []error
	if p.Interval < time.Second {
		errs = append(errs, fmt.Errorf("interval: %s, want at least 1s", p.Interval))
	}
	if p.Overlap < minPollOverlap {
		errs = append(errs, fmt.Errorf("overlap: %s, want at least %s", p.Overlap, minPollOverlap))
	}
	return errors.Join(errs...)
}

func visibility(d time.Duration) error {
	if d < minVisibilityTimeout || d > maxVisibilityTimeout {
		return fmt.Errorf("visibility_timeout: %s, want %s to %s", d, minVisibilityTimeout, maxVisibilityTimeout)
	}
	return nil
}

func address(key, text string, required bool) error {
	if text == "" && !required {
		return nil
	}
	if at, err := url.Parse(text); err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" {
		return fmt.Errorf("%s: %q, want an address like https://host/path", key, text)
	}
	return nil
}

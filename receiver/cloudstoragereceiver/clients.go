package cloudstoragereceiver

import (
	"context"
	"net/url"
	"strings"

	cloudaws "github.com/siempipe/siempipe/internal/cloud/aws"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/queue"
)

// newBucket makes the client of the store that is configured. It does not connect.
func (c *Config) newBucket(ctx context.Context) (bucket.Bucket, error) {
	switch {
	case c.S3.HasValue():
		s3 := c.S3.Get()
		return bucket.NewS3(ctx, bucket.S3Options{
			Options: s3.aws(), Bucket: s3.Bucket, Endpoint: s3.Endpoint, ForcePathStyle: s3.ForcePathStyle,
		})
	case c.AzureBlob.HasValue():
		azure := c.AzureBlob.Get()
		return bucket.NewAzure(bucket.AzureOptions{
			AccountURL: azure.AccountURL, ConnectionString: string(azure.ConnectionString), Container: azure.Container,
		})
	default:
		gcs := c.GCS.Get()
		return bucket.NewGCS(ctx, bucket.GCSOptions{Bucket: gcs.Bucket, Endpoint: gcs.Endpoint})
	}
}

func (s *S3Config) aws() cloudaws.Options {
	return cloudaws.Options{Region: s.Region, RoleARN: s.RoleARN, ExternalID: s.ExternalID, SessionName: s.SessionName}
}

// newQueue makes the client of the queue that is configured, nil when there is none. It does not connect.
func (c *Config) newQueue(ctx context.Context) (queue.Queue, error) {
	n := &c.Notifications
	switch {
	case n.SQS.HasValue():
		sqs := n.SQS.Get()
		return queue.NewSQS(ctx, queue.SQSOptions{
			Options: sqs.aws(c.S3.Get()), QueueURL: sqs.QueueURL, Endpoint: sqs.Endpoint, VisibilityTimeout: sqs.VisibilityTimeout,
		})
	case n.PubSub.HasValue():
		pubsub := n.PubSub.Get()
		return queue.NewPubSub(ctx, queue.PubSubOptions{
			Project: pubsub.Project, Subscription: pubsub.Subscription, Endpoint: pubsub.Endpoint,
		})
	case n.StorageQueue.HasValue():
		sq := n.StorageQueue.Get()
		opts := queue.StorageQueueOptions{
			QueueURL: sq.QueueURL, ConnectionString: string(sq.ConnectionString), Queue: sq.Queue, VisibilityTimeout: sq.VisibilityTimeout,
		}
		if opts.QueueURL == "" && opts.ConnectionString == "" {
			opts.ConnectionString = string(value(c.AzureBlob).ConnectionString)
		}
		return queue.NewStorageQueue(opts)
	}
	return nil, nil
}

// aws is as whom the queue is asked: as the bucket unless the configuration says otherwise.
func (s *SQSConfig) aws(s3 *S3Config) cloudaws.Options {
	opts := cloudaws.Options{Region: s.Region, RoleARN: s.RoleARN, ExternalID: s.ExternalID, SessionName: s.SessionName}
	if opts.RoleARN == "" {
		opts.RoleARN, opts.ExternalID, opts.SessionName = s3.RoleARN, s3.ExternalID, s3.SessionName
	}
	if opts.Region == "" {
		opts.Region = regionOf(s.QueueURL)
	}
	if opts.Region == "" {
		opts.Region = s3.Region
	}
	return opts
}

// regionOf reads the region out of a queue's address, https://sqs.<region>.amazonaws.com/….
func regionOf(queueURL string) string {
	at, err := url.Parse(queueURL)
	if err != nil {
		return ""
	}
	parts := strings.Split(at.Hostname(), ".")
	if len(parts) >= 4 && parts[0] == "sqs" && parts[2] == "amazonaws" {
		return parts[1]
	}
	return ""
}

// prefix is what the keys of all objects that are read begin with.
func (c *Config) prefix() string {
	switch {
	case c.S3.HasValue():
		return c.S3.Get().Prefix
	case c.AzureBlob.HasValue():
		return c.AzureBlob.Get().Prefix
	}
	return value(c.GCS).Prefix
}

// formatOf is the format of an object, "" when it has to be found out.
func (c *Config) formatOf(key string) string {
	format := c.Format
	for i := range c.Formats {
		if matches(c.Formats[i].Key, key) {
			format = c.Formats[i].Format
			break
		}
	}
	return coreFormat(format)
}

package peers

import (
	"context"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Client is an S3 client of the server's root user.
func (s *S3) Client() *s3.Client {
	return s3.New(s3.Options{
		Region: s.Region, BaseEndpoint: aws.String(s.Endpoint), UsePathStyle: true,
		Credentials:                credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
	})
}

// CreateBucket makes a bucket.
func (s *S3) CreateBucket(t testing.TB, bucket string) {
	t.Helper()
	if _, err := s.Client().CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatalf("peer: create bucket %s: %v", bucket, err)
	}
}

// Objects reads every object of a bucket by its key.
func (s *S3) Objects(t testing.TB, bucket string) map[string][]byte {
	t.Helper()
	client, out := s.Client(), make(map[string][]byte)
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatalf("peer: list %s: %v", bucket, err)
		}
		for _, o := range page.Contents {
			object, err := client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: o.Key})
			if err != nil {
				t.Fatalf("peer: get %s: %v", *o.Key, err)
			}
			content, err := io.ReadAll(object.Body)
			object.Body.Close()
			if err != nil {
				t.Fatalf("peer: read %s: %v", *o.Key, err)
			}
			out[*o.Key] = content
		}
	}
	return out
}

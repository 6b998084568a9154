package peers

import (
	"context"
	"os/exec"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// User is somebody who may do in a bucket what its policy says, where the server knows principals by their access key.
type User struct {
	AccessKey string
	SecretKey string
}

// CreateUser makes a user.
func (s *S3) CreateUser(t testing.TB, accessKey string) User {
	t.Helper()
	u := User{AccessKey: accessKey, SecretKey: accessKey + "-secret"}
	cmd := exec.Command(s.binary, "admin", "--access", s.AccessKey, "--secret", s.SecretKey, "--region", s.Region,
		"--endpoint-url", s.Endpoint, "create-user", "--access", u.AccessKey, "--secret", u.SecretKey, "--role", "user")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("peer: create user %s: %v\n%s", accessKey, err, out)
	}
	return u
}

// As is an S3 client of a user.
func (s *S3) As(u User) *s3.Client {
	options := s.Client().Options()
	options.Credentials = credentials.NewStaticCredentialsProvider(u.AccessKey, u.SecretKey, "")
	return s3.New(options)
}

// PutPolicy sets a bucket's policy. The error says why the server refuses it.
func (s *S3) PutPolicy(bucket, policy string) error {
	_, err := s.Client().PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(policy)})
	return err
}

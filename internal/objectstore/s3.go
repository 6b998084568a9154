package objectstore

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// partBytes is the size of a multipart upload's parts and the size above which there are any. S3 asks for at least
// 5 MiB a part; a lost part is sent again, so they are not much larger.
const partBytes = 8 << 20

// S3Options say which bucket objects go to, as whom and with what.
type S3Options struct {
	Bucket         string
	Region         string // "" takes the environment's or the profile's
	Endpoint       string // of another store than AWS's
	ForcePathStyle bool
	RoleARN        string // to take on before each use of the bucket
	ExternalID     string
	SessionName    string

	ACL                 string
	SSEType             string // AES256 or aws:kms
	SSEKMSKeyID         string
	StorageClass        string
	Tags                map[string]string
	ExpectedBucketOwner string
}

// S3 is a Store in a bucket.
type S3 struct {
	client *s3.Client
	opts   S3Options
	tags   string
}

// NewS3 finds credentials as the AWS command line does: environment, web identity, profile, instance. It does not
// connect.
func NewS3(ctx context.Context, opts S3Options) (*S3, error) {
	var load []func(*config.LoadOptions) error
	if opts.Region != "" {
		load = append(load, config.WithRegion(opts.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, errors.New("region: not set, and neither the environment nor a profile names one")
	}
	if opts.RoleARN != "" {
		role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), opts.RoleARN, func(o *stscreds.AssumeRoleOptions) {
			if opts.ExternalID != "" {
				o.ExternalID = aws.String(opts.ExternalID)
			}
			if opts.SessionName != "" {
				o.RoleSessionName = opts.SessionName
			}
		})
		cfg.Credentials = aws.NewCredentialsCache(role)
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = opts.ForcePathStyle
		if opts.Endpoint != "" {
			o.BaseEndpoint = aws.String(opts.Endpoint)
		}
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		o.RetryMaxAttempts = 2 // for a torn connection; waiting is the sender's business, who keeps the data meanwhile
	})
	tags := url.Values{}
	for name, value := range opts.Tags {
		tags.Set(name, value)
	}
	return &S3{client: client, opts: opts, tags: tags.Encode()}, nil
}

// Put uploads the object on the condition that there is none of its key.
func (s *S3) Put(ctx context.Context, o Object) (existed bool, err error) {
	if len(o.Content) <= partBytes {
		err = s.putWhole(ctx, o)
	} else {
		err = s.putParts(ctx, o)
	}
	if isPreconditionFailed(err) {
		return true, nil
	}
	return false, classifyS3(s.opts.Bucket, err)
}

func (s *S3) putWhole(ctx context.Context, o Object) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:               &s.opts.Bucket,
		Key:                  &o.Key,
		Body:                 bytes.NewReader(o.Content),
		ContentType:          optional(o.ContentType),
		ContentEncoding:      optional(o.ContentEncoding),
		IfNoneMatch:          aws.String("*"),
		ChecksumAlgorithm:    types.ChecksumAlgorithmCrc32,
		ACL:                  types.ObjectCannedACL(s.opts.ACL),
		ServerSideEncryption: types.ServerSideEncryption(s.opts.SSEType),
		SSEKMSKeyId:          optional(s.opts.SSEKMSKeyID),
		StorageClass:         types.StorageClass(s.opts.StorageClass),
		Tagging:              optional(s.tags),
		ExpectedBucketOwner:  optional(s.opts.ExpectedBucketOwner),
	})
	return err
}

func (s *S3) putParts(ctx context.Context, o Object) error {
	owner := optional(s.opts.ExpectedBucketOwner)
	upload, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket:               &s.opts.Bucket,
		Key:                  &o.Key,
		ContentType:          optional(o.ContentType),
		ContentEncoding:      optional(o.ContentEncoding),
		ChecksumAlgorithm:    types.ChecksumAlgorithmCrc32,
		ACL:                  types.ObjectCannedACL(s.opts.ACL),
		ServerSideEncryption: types.ServerSideEncryption(s.opts.SSEType),
		SSEKMSKeyId:          optional(s.opts.SSEKMSKeyID),
		StorageClass:         types.StorageClass(s.opts.StorageClass),
		Tagging:              optional(s.tags),
		ExpectedBucketOwner:  owner,
	})
	if err != nil {
		return err
	}
	var parts []types.CompletedPart
	number := int32(0)
	for content := range slices.Chunk(o.Content, partBytes) {
		number++
		part, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &s.opts.Bucket, Key: &o.Key, UploadId: upload.UploadId, PartNumber: aws.Int32(number),
			Body: bytes.NewReader(content), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, ExpectedBucketOwner: owner,
		})
		if err != nil {
			s.abort(ctx, o.Key, upload.UploadId)
			return err
		}
		parts = append(parts, types.CompletedPart{ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32, PartNumber: aws.Int32(number)})
	}
	_, err = s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.opts.Bucket, Key: &o.Key, UploadId: upload.UploadId, IfNoneMatch: aws.String("*"), ExpectedBucketOwner: owner,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		s.abort(ctx, o.Key, upload.UploadId)
	}
	return err
}

// abort frees the parts of an upload that failed. Where it fails too, the bucket's lifecycle rule has to.
func (s *S3) abort(ctx context.Context, key string, id *string) {
	_, _ = s.client.AbortMultipartUpload(context.WithoutCancel(ctx), &s3.AbortMultipartUploadInput{
		Bucket: &s.opts.Bucket, Key: &key, UploadId: id, ExpectedBucketOwner: optional(s.opts.ExpectedBucketOwner),
	})
}

// isPreconditionFailed reports that there is an object of that key. A 409 is another thing: somebody else is writing
// it right now and may yet fail.
func isPreconditionFailed(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "PreconditionFailed")
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

package objectstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	cloudaws "github.com/siempipe/siempipe/internal/cloud/aws"
)

// partBytes is the size of a multipart upload's parts and the size above which there are any. S3 asks for at least
// 5 MiB a part; a lost part is sent again, so they are not much larger.
const partBytes = 8 << 20

// maxIdleConnections is how many connections are kept from one batch to the next. The SDK keeps ten; of sixteen uploads at a
// time the others would make a new one each time, and with it a TLS session.
const maxIdleConnections = 100

// maxBackoff is the longest wait before the SDK's own second try.
const maxBackoff = 200 * time.Millisecond

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

// S3 is a Store in a bucket. It is safe for concurrent use.
type S3 struct {
	client   *s3.Client
	opts     S3Options
	tags     string
	eachPart []func(*s3.Options) // for the requests of a multipart upload after its first
}

// NewS3 finds credentials as the AWS command line does: environment, web identity, profile, instance. It does not
// connect.
func NewS3(ctx context.Context, opts S3Options) (*S3, error) {
	cfg, err := cloudaws.Load(ctx, cloudaws.Options{
		Region: opts.Region, RoleARN: opts.RoleARN, ExternalID: opts.ExternalID, SessionName: opts.SessionName,
	})
	if err != nil {
		return nil, err
	}
	if c, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		cfg.HTTPClient = c.WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = maxIdleConnections })
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = opts.ForcePathStyle
		if opts.Endpoint != "" {
			o.BaseEndpoint = aws.String(opts.Endpoint)
		}
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			// Once more at once for a torn connection; waiting is the sender's business, who keeps the data meanwhile.
			r.MaxAttempts, r.MaxBackoff = 2, maxBackoff
		})
	})
	tags := url.Values{}
	for name, value := range opts.Tags {
		tags.Set(name, value)
	}
	store := &S3{client: client, opts: opts, tags: tags.Encode()}
	if opts.ACL != "" && opts.Endpoint != "" && !isAWS(opts.Endpoint) {
		store.eachPart = append(store.eachPart, s3.WithAPIOptions(smithyhttp.AddHeaderValue(aclHeader, opts.ACL)))
	}
	return store, nil
}

// aclHeader names the ACL of an object. AWS takes it with the first request of a multipart upload and holds a bucket policy
// that asks for it to that request; other stores hold the policy to each part, where AWS's own API has no place for it.
const aclHeader = "X-Amz-Acl"

// isAWS reports that an endpoint is one of AWS's own, such as a VPC endpoint.
func isAWS(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && (strings.HasSuffix(u.Hostname(), ".amazonaws.com") || strings.HasSuffix(u.Hostname(), ".amazonaws.com.cn"))
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
	return false, s.classify(err)
}

// refusedAction is how AWS, and stores that follow it, name the permission that is missing.
var refusedAction = regexp.MustCompile(`not authorized to perform: ((?:s3|kms):\w+)`)

// classify makes a *Error of what the SDK returned. When the store refuses, it names the permission: the one that the store
// names, else those that the settings need.
func (s *S3) classify(err error) error {
	err = classifyS3(s.opts.Bucket, err)
	var failed *Error
	if !errors.As(err, &failed) || failed.Hint != s3Errors[accessDenied].Hint {
		return err
	}
	missing := strings.Join(s.permissions(), ", ")
	if m := refusedAction.FindStringSubmatch(err.Error()); m != nil {
		missing = m[1]
	}
	failed.Hint = fmt.Sprintf("allow this identity %s on the objects of %s, in its own policy and in the bucket's (accesspolicy -check says what that one lacks)", missing, s.opts.Bucket)
	if s.opts.ExpectedBucketOwner != "" {
		failed.Hint += ", and see whether expected_bucket_owner is the bucket's"
	}
	return err
}

// permissions are what the settings need.
func (s *S3) permissions() []string {
	all := []string{"s3:PutObject"}
	if s.opts.ACL != "" {
		all = append(all, "s3:PutObjectAcl")
	}
	if s.tags != "" {
		all = append(all, "s3:PutObjectTagging")
	}
	if s.opts.SSEType == SSEKMS {
		all = append(all, "kms:GenerateDataKey", "kms:Decrypt") // the second for the parts of an upload
	}
	return all
}

func (s *S3) putWhole(ctx context.Context, o Object) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:               &s.opts.Bucket,
		Key:                  &o.Key,
		Body:                 bytes.NewReader(o.Content),
		ContentType:          optional(o.ContentType),
		ContentEncoding:      optional(o.ContentEncoding),
		IfNoneMatch:          aws.String("*"),
		ChecksumAlgorithm:    types.ChecksumAlgorithmSha256,
		ChecksumSHA256:       aws.String(base64.StdEncoding.EncodeToString(o.Sum[:])),
		ACL:                  types.ObjectCannedACL(s.opts.ACL),
		ServerSideEncryption: types.ServerSideEncryption(s.opts.SSEType),
		SSEKMSKeyId:          optional(s.opts.SSEKMSKeyID),
		StorageClass:         types.StorageClass(s.opts.StorageClass),
		Tagging:              optional(s.tags),
		ExpectedBucketOwner:  optional(s.opts.ExpectedBucketOwner),
	}, s3.WithAPIOptions(signedAs(o.Sum)))
	return err
}

// signedAs has the signature cover the content by the sum that is known already. The SDK would sum it a second time, or over
// TLS not sign it at all.
func signedAs(sum [sha256.Size]byte) func(*middleware.Stack) error {
	hash := hex.EncodeToString(sum[:])
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("KnownPayloadHash", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(v4.SetPayloadHash(ctx, hash), in)
		}), middleware.Before)
	}
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
		}, s.eachPart...)
		if err != nil {
			s.abort(ctx, o.Key, upload.UploadId)
			return err
		}
		parts = append(parts, types.CompletedPart{ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32, PartNumber: aws.Int32(number)})
	}
	_, err = s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.opts.Bucket, Key: &o.Key, UploadId: upload.UploadId, IfNoneMatch: aws.String("*"), ExpectedBucketOwner: owner,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}, s.eachPart...)
	if err != nil {
		s.abort(ctx, o.Key, upload.UploadId)
	}
	return err
}

// abortTimeout is what freeing the parts may take after the upload's own time has run out.
const abortTimeout = 5 * time.Second

// abort frees the parts of an upload that failed. Where it fails too, the bucket's lifecycle rule has to.
func (s *S3) abort(ctx context.Context, key string, id *string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, _ = s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
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

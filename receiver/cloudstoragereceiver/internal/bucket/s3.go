package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	cloudaws "github.com/siempipe/siempipe/internal/cloud/aws"
)

// S3Options say which bucket to read, where and as whom.
type S3Options struct {
	cloudaws.Options
	Bucket         string // "" when notifications name it
	Endpoint       string // of another store than AWS's
	ForcePathStyle bool
}

type s3Bucket struct {
	client *s3.Client
	opts   S3Options
}

// NewS3 does not connect.
func NewS3(ctx context.Context, opts S3Options) (Bucket, error) {
	cfg, err := cloudaws.Load(ctx, opts.Options)
	if err != nil {
		return nil, err
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = opts.ForcePathStyle
		if opts.Endpoint != "" {
			o.BaseEndpoint = aws.String(opts.Endpoint)
		}
		// Objects that others wrote with older tools have no checksum, and a range of one has none at all.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return &s3Bucket{client: client, opts: opts}, nil
}

func (b *s3Bucket) Name() string { return b.opts.Bucket }
func (b *s3Bucket) Close() error { return nil }

func (b *s3Bucket) bucketOf(o Object) string {
	if o.Bucket != "" {
		return o.Bucket
	}
	return b.opts.Bucket
}

func (b *s3Bucket) URL(o Object) string { return "s3://" + b.bucketOf(o) + "/" + o.Key }

func (b *s3Bucket) Open(ctx context.Context, o Object, offset int64) (Content, error) {
	in := &s3.GetObjectInput{Bucket: aws.String(b.bucketOf(o)), Key: &o.Key}
	if o.Version != "" && o.Version != "null" { // null is what a bucket without versions calls all of them
		in.VersionId = &o.Version
	}
	if offset > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
		if o.ETag != "" {
			in.IfMatch = aws.String(`"` + o.ETag + `"`)
		}
	}
	out, err := b.client.GetObject(ctx, in, b.region(o))
	if err != nil {
		return Content{}, classifyS3(err, b.URL(o))
	}
	o.ETag, o.Modified, o.Size = unquoted(aws.ToString(out.ETag)), aws.ToTime(out.LastModified), sizeUnknown
	if out.ContentLength != nil {
		o.Size = offset + *out.ContentLength
	}
	return Content{Object: o, Metadata: out.Metadata, Body: out.Body}, nil
}

// region takes the request to where the object's bucket is. Another store than AWS's has no regions to go to.
func (b *s3Bucket) region(o Object) func(*s3.Options) {
	return func(options *s3.Options) {
		if o.Region != "" && b.opts.Endpoint == "" {
			options.Region = o.Region
		}
	}
}

// Page's token is the last key of the page before: unlike S3's own tokens it never expires.
func (b *s3Bucket) Page(ctx context.Context, prefix, token string) ([]Object, string, error) {
	in := &s3.ListObjectsV2Input{
		Bucket: &b.opts.Bucket, MaxKeys: aws.Int32(pageSize),
		EncodingType: types.EncodingTypeUrl, // a key may hold what XML cannot
	}
	if prefix != "" {
		in.Prefix = &prefix
	}
	if token != "" {
		in.StartAfter = &token
	}
	out, err := b.client.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, "", classifyS3(err, "list s3://"+b.opts.Bucket+"/"+prefix)
	}
	page := make([]Object, 0, len(out.Contents))
	last := ""
	for i := range out.Contents {
		c := &out.Contents[i]
		key := aws.ToString(c.Key)
		if out.EncodingType == types.EncodingTypeUrl {
			if decoded, err := url.QueryUnescape(key); err == nil {
				key = decoded
			}
		}
		last = key
		page = append(page, Object{
			Key: key, ETag: unquoted(aws.ToString(c.ETag)), Size: aws.ToInt64(c.Size), Modified: aws.ToTime(c.LastModified),
			Archived: c.StorageClass == types.ObjectStorageClassGlacier || c.StorageClass == types.ObjectStorageClassDeepArchive,
		})
	}
	if !aws.ToBool(out.IsTruncated) {
		last = ""
	}
	return page, last, nil
}

func unquoted(etag string) string {
	if n := len(etag); n > 1 && etag[0] == '"' && etag[n-1] == '"' {
		return etag[1 : n-1]
	}
	return etag
}

// s3Errors is what is known of S3's error codes when reading.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var s3Errors = map[string]known{
	"NoSuchKey":                    {NotFound, ""},
	"NoSuchVersion":                {NotFound, ""},
	"MethodNotAllowed":             {NotFound, "the version is a delete marker"},
	"AccessDenied":                 {Forbidden, "allow s3:GetObject, s3:GetObjectVersion and kms:Decrypt to this role; without s3:ListBucket an object that is missing is refused too"},
	"AllAccessDisabled":            {Forbidden, "the bucket has been disabled; ask its owner"},
	"AccountProblem":               {Forbidden, "the AWS account has a problem; ask AWS support"},
	"InvalidAccessKeyId":           {Misconfigured, "the access key does not exist; set another"},
	"SignatureDoesNotMatch":        {Misconfigured, "the secret key does not belong to the access key"},
	"ExpiredToken":                 {Misconfigured, "the credentials have expired; renew them"},
	"ExpiredTokenException":        {Misconfigured, "the credentials have expired; renew them"},
	"TokenRefreshRequired":         {Misconfigured, "the credentials have expired; renew them"},
	"InvalidToken":                 {Misconfigured, "the session token is not valid; renew the credentials"},
	"RequestTimeTooSkewed":         {Misconfigured, "set this machine's clock"},
	"NoSuchBucket":                 {Misconfigured, "set s3::bucket to a bucket that exists"},
	"PermanentRedirect":            {Misconfigured, "set s3::region to the region of the bucket"},
	"AuthorizationHeaderMalformed": {Misconfigured, "set s3::region to the region of the bucket"},
	"InvalidObjectState":           {Archived, "restore the object, or read it before its lifecycle rule archives it"},
	"PreconditionFailed":           {Changed, ""},
	"InvalidRange":                 {Changed, ""},
	"KMS.DisabledException":        {Forbidden, "enable the KMS key"},
	"KMS.NotFoundException":        {Forbidden, "the KMS key is gone"},
}

func classifyS3(err error, what string) error {
	row, status := known{}, 0
	var api smithy.APIError
	if errors.As(err, &api) {
		row = s3Errors[api.ErrorCode()]
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	return classify(err, what, row, status)
}

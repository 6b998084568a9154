package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// Error is why an object could not be put, and what can be done about it.
type Error struct {
	Err error
	// Hint names the permission or setting that is missing; "" when nobody can do anything.
	Hint string
	// Permanent says that the same object will never be taken. Everything that somebody can mend from outside is not
	// permanent, however wrong the set-up is: the records wait meanwhile.
	Permanent bool
	// Throttled says that the store asks for less; RetryAfter is how long it wants to be left alone, if it says so.
	Throttled  bool
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Err.Error()
	}
	return e.Hint + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// s3Errors is what is known of S3's error codes. A code that is not here is taken for one that gets better.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var s3Errors = map[string]Error{
	"AccessDenied":                       {Hint: "allow s3:PutObject (with an acl also s3:PutObjectAcl, with KMS kms:GenerateDataKey) on the bucket to this role"},
	"AllAccessDisabled":                  {Hint: "the bucket has been disabled; ask its owner"},
	"AccountProblem":                     {Hint: "the AWS account has a problem; ask AWS support"},
	"NoSuchBucket":                       {Hint: "create the bucket, or set bucket to one that exists"},
	"PermanentRedirect":                  {Hint: "set region to the region of the bucket"},
	"AuthorizationHeaderMalformed":       {Hint: "set region to the region of the bucket"},
	"IllegalLocationConstraintException": {Hint: "set region to the region of the bucket"},
	"ExpiredToken":                       {Hint: "the credentials have expired; renew them"},
	"ExpiredTokenException":              {Hint: "the credentials have expired; renew them"},
	"TokenRefreshRequired":               {Hint: "the credentials have expired; renew them"},
	"InvalidToken":                       {Hint: "the session token is not valid; renew the credentials"},
	"InvalidAccessKeyId":                 {Hint: "the access key does not exist; set another"},
	"SignatureDoesNotMatch":              {Hint: "the secret key does not belong to the access key"},
	"RequestTimeTooSkewed":               {Hint: "set this machine's clock"},
	"AccessControlListNotSupported":      {Hint: "the bucket has ACLs disabled; set acl to an empty value or bucket-owner-full-control"},
	"InvalidArgument":                    {Hint: "the store refuses a setting; look at acl, storage_class, server_side_encryption and tags"},
	"InvalidStorageClass":                {Hint: "set storage_class to one that the store has"},
	"InvalidTag":                         {Hint: "mend tags"},
	"KMS.NotFoundException":              {Hint: "set server_side_encryption.kms_key_id to a key that exists"},
	"KMS.DisabledException":              {Hint: "enable the KMS key"},
	"EntityTooLarge":                     {Hint: "lower sending_queue.batch.max_size", Permanent: true},
	"KeyTooLongError":                    {Hint: "shorten root", Permanent: true},
	"SlowDown":                           {Throttled: true},
	"ServiceUnavailable":                 {Throttled: true},
	"RequestLimitExceeded":               {Throttled: true},
	"TooManyRequestsException":           {Throttled: true},
	"ThrottlingException":                {Throttled: true},
}

// classifyS3 makes a *Error of what the SDK returned.
func classifyS3(bucket string, err error) error {
	if err == nil {
		return nil
	}
	result := Error{}
	var api smithy.APIError
	if errors.As(err, &api) {
		result = s3Errors[api.ErrorCode()]
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		switch response.HTTPStatusCode() {
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
			result.Throttled = true
		}
		if after, parseErr := time.ParseDuration(response.Response.Header.Get("Retry-After") + "s"); parseErr == nil && after > 0 {
			result.RetryAfter = after
		}
	}
	if errors.Is(err, context.DeadlineExceeded) && result.Hint == "" {
		result.Hint = "the store did not answer in time"
	}
	result.Err = fmt.Errorf("bucket %s: %w", bucket, err)
	return &result
}

// classifyFile makes a *Error of what the file system returned.
func classifyFile(err error) error {
	if err == nil {
		return nil
	}
	result := &Error{Err: err}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		result.Hint = "no space left under directory; make room"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		result.Hint = "directory must be writable for the collector's user"
	case errors.Is(err, syscall.ENAMETOOLONG):
		result.Hint, result.Permanent = "shorten root", true
	}
	return result
}

package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
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
	Permanent  bool
	RetryAfter time.Duration // how long the store wants to be left alone, if it says so; at most maxRetryAfter
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Err.Error()
	}
	return e.Hint + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// maxRetryAfter bounds what a store, or a proxy before it, can make records wait with one answer.
const maxRetryAfter = 5 * time.Minute

// accessDenied is the code for each permission that is missing.
const accessDenied = "AccessDenied"

// s3Errors is what is known of S3's error codes. A code that is not here is taken for one that gets better.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var s3Errors = map[string]Error{
	accessDenied:                         {Hint: "the store refuses this identity"}, // S3.classify says what it lacks
	"AllAccessDisabled":                  {Hint: "the bucket has been disabled; ask its owner"},
	"AccountProblem":                     {Hint: "the AWS account has a problem; ask AWS support"},
	"NoSuchBucket":                       {Hint: "create the bucket, or set bucket to one that exists"},
	"InvalidBucketName":                  {Hint: "set bucket to a valid name"},
	"PermanentRedirect":                  {Hint: "set region to the region of the bucket"},
	"TemporaryRedirect":                  {Hint: "the bucket's name is not known everywhere yet, or region is not the bucket's"},
	"AuthorizationHeaderMalformed":       {Hint: "set region to the region of the bucket"},
	"IllegalLocationConstraintException": {Hint: "set region to the region of the bucket"},
	"ExpiredToken":                       {Hint: "the credentials have expired; renew them"},
	"ExpiredTokenException":              {Hint: "the credentials have expired; renew them"},
	"RequestExpired":                     {Hint: "the credentials have expired; renew them"},
	"TokenRefreshRequired":               {Hint: "the credentials have expired; renew them"},
	"InvalidToken":                       {Hint: "the session token is not valid; renew the credentials"},
	"InvalidAccessKeyId":                 {Hint: "the access key does not exist; set another"},
	"SignatureDoesNotMatch":              {Hint: "the secret key does not belong to the access key"},
	"RequestTimeTooSkewed":               {Hint: "set this machine's clock"},
	"AccessControlListNotSupported":      {Hint: "the bucket has ACLs disabled; set acl to an empty value or bucket-owner-full-control"},
	"InvalidArgument":                    {Hint: "the store refuses a setting; look at acl, storage_class, server_side_encryption and tags"},
	"InvalidRequest":                     {Hint: "the store refuses a setting; look at acl, storage_class, server_side_encryption and tags"},
	"InvalidStorageClass":                {Hint: "set storage_class to one that the store has"},
	"InvalidTag":                         {Hint: "mend tags"},
	"InvalidEncryptionAlgorithmError":    {Hint: "set server_side_encryption.type to one that the store has"},
	"KMS.NotFoundException":              {Hint: "set server_side_encryption.kms_key_id to a key that exists in the bucket's region"},
	"KMS.DisabledException":              {Hint: "enable the KMS key"},
	"KMS.KMSInvalidStateException":       {Hint: "enable the KMS key"},
	"NotImplemented":                     {Hint: "the store lacks something that is asked of it: put on condition (If-None-Match), acl, server_side_encryption, storage_class or tags"},
	"EntityTooLarge":                     {Hint: "raise the store's limit, or lower sending_queue.batch.min_size"},
	"KeyTooLongError":                    {Hint: "shorten root", Permanent: true},
}

// stsErrors is what is known of the codes of the service that hands out a role's credentials.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_Errors
var stsErrors = map[string]Error{
	"AccessDenied": {Hint: "the trust policy of role_arn must let this identity sts:AssumeRole, with the external_id that it asks for, " +
		"and the identity must be allowed to"},
	"InvalidClientTokenId":  {Hint: "the access key does not exist; set another"},
	"SignatureDoesNotMatch": {Hint: "the secret key does not belong to the access key"},
	"ExpiredToken":          {Hint: "the credentials that take on the role have expired; renew them"},
	"ExpiredTokenException": {Hint: "the web identity token has expired; see who renews AWS_WEB_IDENTITY_TOKEN_FILE"},
	"InvalidIdentityToken":  {Hint: "AWS does not take the web identity token; see the role's identity provider and AWS_WEB_IDENTITY_TOKEN_FILE"},
	"IDPRejectedClaim":      {Hint: "the identity provider rejects the web identity token; see AWS_WEB_IDENTITY_TOKEN_FILE"},
	"RegionDisabled":        {Hint: "enable STS for the region in the AWS account"},
	"ValidationError":       {Hint: "mend role_arn, external_id or session_name"},
}

// noCredentials stands in what the SDK says when no source of credentials gave any.
const noCredentials = "get identity: get credentials"

// classifyS3 makes a *Error of what the SDK returned.
func classifyS3(bucket string, err error) error {
	if err == nil {
		return nil
	}
	result := Error{}
	var api smithy.APIError
	if errors.As(err, &api) {
		table := s3Errors
		if isOf(err, "STS") {
			table = stsErrors
		}
		result = table[api.ErrorCode()]
	} else if strings.Contains(err.Error(), noCredentials) {
		result.Hint = "no credentials: set them in the environment, a profile (AWS_PROFILE), a web identity or the machine's role"
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		if after, parseErr := time.ParseDuration(response.Response.Header.Get("Retry-After") + "s"); parseErr == nil && after > 0 {
			result.RetryAfter = min(after, maxRetryAfter)
		}
		if region := response.Response.Header.Get("X-Amz-Bucket-Region"); region != "" && strings.HasPrefix(result.Hint, "set region") {
			result.Hint = fmt.Sprintf("set region to %.40q, the region of the bucket", region)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) && result.Hint == "" {
		result.Hint = "the store did not answer in time"
	}
	result.Err = fmt.Errorf("bucket %s: %w", bucket, err)
	return &result
}

// isOf reports that an operation of the service failed, be it within one of another: S3's wait for credentials of STS.
func isOf(err error, service string) bool {
	var operation *smithy.OperationError
	for errors.As(err, &operation) {
		if operation.ServiceID == service {
			return true
		}
		err = operation.Err
	}
	return false
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
	case errors.Is(err, fs.ErrPermission):
		result.Hint = "directory must be writable for the collector's user"
	case errors.Is(err, syscall.EROFS):
		result.Hint = "directory is on a read-only file system; mount it for writing"
	case errors.Is(err, syscall.ENOTDIR):
		result.Hint = "a file stands where directory or a folder in it must be; move it away"
	case errors.Is(err, syscall.ENAMETOOLONG):
		result.Hint, result.Permanent = "shorten root", true
	}
	return result
}

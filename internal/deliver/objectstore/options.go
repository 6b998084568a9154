package objectstore

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Settings of a store that its users share beside S3Options.
const (
	// DefaultRoot is the first segment of every key.
	DefaultRoot = "Panoptica"
	// DefaultACL is what Panoptica's access policy asks for.
	DefaultACL = "bucket-owner-full-control"

	// Server-side encryptions.
	SSEAES256 = "AES256"
	SSEKMS    = "aws:kms"
)

// Limits of AWS.
const (
	// MaxRootBytes is of the 1,024 of a key; the rest is at most 128 for each segment and 60 for the file.
	MaxRootBytes     = 256
	maxTags          = 10
	maxTagKeyBytes   = 128
	maxTagValueBytes = 256
	maxExternalID    = 1224 // bytes
)

// ACLs are the canned ACLs of objects that do not hand findings to strangers; "" is the bucket's own rule.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl
var ACLs = []string{"", DefaultACL, "bucket-owner-read", "private", "aws-exec-read"}

var (
	tagText     = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
	bucketName  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$|^arn:[a-z-]+:s3`)
	roleARN     = regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:role/.+`)
	accountID   = regexp.MustCompile(`^\d{12}$`)
)

// Mistake is what is wrong with one setting. Key is its name, with a dot before a part of it, as in
// server_side_encryption.type: each host writes that in its own way.
type Mistake struct{ Key, Text string }

// Mistakes are everything that is wrong with the options. That the bucket is empty is for the caller to judge.
func (o *S3Options) Mistakes() (all []Mistake) {
	bad := func(key, format string, args ...any) { all = append(all, Mistake{key, fmt.Sprintf(format, args...)}) }
	if o.Bucket != "" && !bucketName.MatchString(o.Bucket) {
		bad("bucket", "%q is no bucket name", o.Bucket)
	}
	if o.RoleARN != "" && !roleARN.MatchString(o.RoleARN) {
		bad("role_arn", "%q is no ARN of an IAM role", o.RoleARN)
	}
	if o.RoleARN == "" && (o.ExternalID != "" || o.SessionName != "") {
		bad("role_arn", "required with external_id or session_name")
	}
	if o.ExternalID != "" && (!externalID.MatchString(o.ExternalID) || len(o.ExternalID) > maxExternalID) {
		bad("external_id", "%q, want 2 to %d of letters, digits and _+=,.@:/-", o.ExternalID, maxExternalID)
	}
	if o.SessionName != "" && !sessionName.MatchString(o.SessionName) {
		bad("session_name", "%q, want 2 to 64 of letters, digits and _+=,.@-", o.SessionName)
	}
	if !slices.Contains(ACLs, o.ACL) {
		bad("acl", "%q, want one of %s; others hand findings to strangers", o.ACL, strings.Join(ACLs[1:], ", "))
	}
	if len(o.Tags) > maxTags {
		bad("tags", "%d, an object takes %d", len(o.Tags), maxTags)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Tags)) {
		value := o.Tags[name]
		switch {
		case name == "" || len(name) > maxTagKeyBytes || len(value) > maxTagValueBytes:
			bad("tags."+name, "want a key of 1 to %d and a value of at most %d bytes", maxTagKeyBytes, maxTagValueBytes)
		case !tagText.MatchString(name) || !tagText.MatchString(value):
			bad("tags."+name, "want letters, digits, blanks and _.:/=+-@ only")
		}
	}
	if o.Endpoint != "" && !strings.HasPrefix(o.Endpoint, "http://") && !strings.HasPrefix(o.Endpoint, "https://") {
		bad("endpoint", "%q, want a URL with http:// or https://", o.Endpoint)
	}
	switch o.SSEType {
	case "", SSEAES256, SSEKMS:
	default:
		bad("server_side_encryption.type", "%q, want one of %s, %s", o.SSEType, SSEAES256, SSEKMS)
	}
	if o.SSEKMSKeyID != "" && o.SSEType != SSEKMS {
		bad("server_side_encryption.kms_key_id", "needs type %s", SSEKMS)
	}
	if o.ExpectedBucketOwner != "" && !accountID.MatchString(o.ExpectedBucketOwner) {
		bad("expected_bucket_owner", "%q, want 12 digits", o.ExpectedBucketOwner)
	}
	return all
}

package objectstore

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		key    string
		change func(*S3Options)
	}{
		{"", func(*S3Options) {}},
		{"", func(o *S3Options) { o.Bucket = "arn:aws:s3:eu-central-1:111122223333:accesspoint/siem" }},
		{"", func(o *S3Options) {
			o.RoleARN, o.ExternalID = "arn:aws:iam::111122223333:role/x", strings.Repeat("e", 1224)
		}},
		{"", func(o *S3Options) { o.SSEType, o.SSEKMSKeyID = SSEKMS, "alias/x" }},
		{"bucket", func(o *S3Options) { o.Bucket = "No_Bucket" }},
		{"role_arn", func(o *S3Options) { o.RoleARN = "role" }},
		{"role_arn", func(o *S3Options) { o.SessionName = "session" }},
		{"external_id", func(o *S3Options) {
			o.RoleARN, o.ExternalID = "arn:aws:iam::111122223333:role/x", strings.Repeat("e", 1225)
		}},
		{"external_id", func(o *S3Options) { o.RoleARN, o.ExternalID = "arn:aws:iam::111122223333:role/x", "a b" }},
		{"session_name", func(o *S3Options) { o.RoleARN, o.SessionName = "arn:aws:iam::111122223333:role/x", "s" }},
		{"acl", func(o *S3Options) { o.ACL = "public-read" }},
		{"tags.a,b", func(o *S3Options) { o.Tags = map[string]string{"a,b": "c"} }},
		{"endpoint", func(o *S3Options) { o.Endpoint = "localhost:9000" }},
		{"server_side_encryption.type", func(o *S3Options) { o.SSEType = "DES" }},
		{"server_side_encryption.kms_key_id", func(o *S3Options) { o.SSEKMSKeyID = "alias/x" }},
		{"expected_bucket_owner", func(o *S3Options) { o.ExpectedBucketOwner = "me" }},
	} {
		o := S3Options{Bucket: "acme-siem"}
		c.change(&o)
		key := ""
		if all := o.Mistakes(); len(all) > 0 {
			key = all[0].Key
			assert.Len(t, all, 1, c.key)
		}
		assert.Equal(t, c.key, key)
	}
}

package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// TestOnAServer sets both forms as the policy of a bucket and lets a user of it write: the exporter's store may with both,
// a put without the ACL may with the seed's form and not with the strict one.
func TestOnAServer(t *testing.T) {
	server := peers.StartS3(t)
	server.CreateBucket(t, "acme-siem")
	user := server.CreateUser(t, "writer")
	t.Setenv("AWS_ACCESS_KEY_ID", user.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", user.SecretKey)
	// The server knows principals by their access key.
	set := func(t *testing.T, args ...string) {
		t.Helper()
		text := output(t, append([]string{"-bucket-arn", bucket, "-role-arn", role}, args...)...)
		require.NoError(t, server.PutPolicy("acme-siem", strings.ReplaceAll(text, role, user.AccessKey)))
	}
	// store puts an object as the exporter does.
	store := func(t *testing.T, acl string, size int, tags map[string]string) error {
		t.Helper()
		s, err := objectstore.NewS3(t.Context(), objectstore.S3Options{
			Bucket: "acme-siem", Region: server.Region, Endpoint: server.Endpoint, ForcePathStyle: true, ACL: acl, Tags: tags,
		})
		require.NoError(t, err)
		o, err := objectstore.NewObject("Panoptica", objectstore.Partition{EventType: t.Name()}, time.Now(), make([]byte, size), objectstore.None)
		require.NoError(t, err)
		_, err = s.Put(t.Context(), o)
		return err
	}
	// plain puts one without anything of ours.
	plain := func(t *testing.T, key string, acl types.ObjectCannedACL) error {
		t.Helper()
		name := "acme-siem"
		_, err := server.As(user).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &name, Key: &key, ACL: acl, Body: strings.NewReader("{}")})
		return err
	}
	const large = 17 << 20 // three parts
	t.Run("no policy", func(t *testing.T) { denied(t, store(t, ownerACL, 10, nil)) })
	t.Run("seed", func(t *testing.T) {
		set(t)
		assert.NoError(t, store(t, ownerACL, 10, nil))
		assert.NoError(t, store(t, ownerACL, large, nil))
		assert.NoError(t, plain(t, "Panoptica/seed", ""), "its first statement allows what its second one asks a condition for")
	})
	t.Run("strict", func(t *testing.T) {
		set(t, "-strict")
		assert.NoError(t, store(t, ownerACL, 10, nil))
		assert.NoError(t, store(t, ownerACL, large, nil))
		denied(t, plain(t, "Panoptica/strict", ""))
		denied(t, plain(t, "Panoptica/strict", types.ObjectCannedACLPrivate))
		denied(t, plain(t, "elsewhere/strict", types.ObjectCannedACLBucketOwnerFullControl))
		denied(t, store(t, "", 10, nil))
		denied(t, store(t, "", large, nil))
		assert.NoError(t, plain(t, "Panoptica/strict", types.ObjectCannedACLBucketOwnerFullControl))
		name, key := "acme-siem", "Panoptica/strict"
		_, err := server.As(user).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &name, Key: &key})
		denied(t, err)
	})
	t.Run("strict with tags", func(t *testing.T) {
		set(t, "-strict", "-tags")
		assert.NoError(t, store(t, ownerACL, 10, map[string]string{"team": "sec"}))
		denied(t, plain(t, "Panoptica/strict", ""))
	})
}

func denied(t *testing.T, err error) {
	t.Helper()
	var api smithy.APIError
	if assert.True(t, errors.As(err, &api), "%v", err) {
		assert.Equal(t, "AccessDenied", api.ErrorCode())
	}
}

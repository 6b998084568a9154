package panopticas3exporter

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// onBucket is the default configuration on a bucket of the server, in a hurry.
func onBucket(server *peers.S3, bucket string) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Bucket, cfg.Region, cfg.Endpoint, cfg.ForcePathStyle = bucket, server.Region, server.Endpoint, true
	cfg.QueueConfig.Get().Batch.Get().FlushTimeout = 50 * time.Millisecond
	cfg.RetryConfig.InitialInterval = 20 * time.Millisecond
	return cfg
}

// TestEachRecordOnceInABrokenBucket sends 10,000 interleaved records of 40 accounts, 3 event types and 3 days, one of them
// around midnight UTC, through queue, batcher and retry to a server of whose answers one in eight is lost, before or after
// it has stored, and one in sixteen is 503. Each record must be there exactly once, under its own key.
func TestEachRecordOnceInABrokenBucket(t *testing.T) {
	server := peers.StartS3(t)
	server.CreateBucket(t, "lake")
	proxy := peers.StartProxy(t, server.Endpoint)
	var faults [peers.CutAfter + 1]atomic.Int64
	proxy.Fault = func(*http.Request) peers.Fault {
		f := peers.Pass
		switch rand.IntN(16) {
		case 0:
			f = peers.Cut
		case 1:
			f = peers.CutAfter
		case 2:
			f = peers.SlowDown
		}
		faults[f].Add(1)
		return f
	}
	cfg := onBucket(server, "lake")
	cfg.Endpoint, cfg.Compression = proxy.URL, string(objectstore.Zstd)
	cfg.QueueConfig.Get().Batch.Get().FlushTimeout = 3 * time.Second
	e := start(t, cfg)

	types := []string{record.SecurityFinding, record.AttackPath, record.Other}
	days := []time.Time{
		time.Date(2026, 2, 27, 12, 0, 0, 0, time.UTC),
		time.Date(2026, 2, 28, 23, 59, 59, 999_000_000, time.UTC),
		time.Date(2026, 3, 1, 1, 0, 0, 0, time.FixedZone("", 3600)), // midnight UTC
	}
	const n = 10_000
	for from := 0; from < n; from += 500 {
		logs := plog.NewLogs()
		for i := from; i < from+500; i++ {
			account, eventType, day := fmt.Sprintf("acct-%d", i%40), types[i/40%3], days[i/120%3]
			if i%2 == 0 { // within the second before or after midnight
				day = day.Add(time.Duration(i%1000) * time.Microsecond)
			}
			at := fmt.Sprintf("Panoptica/%s/%s/%s", eventType, day.UTC().Format(time.DateOnly), account)
			put(logs, record.Record{Body: fmt.Sprintf(`{"n":%d,"at":"%s"}`, i, at), EventType: eventType, AccountID: account, Time: day})
		}
		require.NoError(t, e.ConsumeLogs(t.Context(), logs))
	}
	decoder, err := zstd.NewReader(nil)
	require.NoError(t, err)
	defer decoder.Close()
	seen := make(map[string]int, n)
	objects := make(map[string]string)
	for deadline := time.Now().Add(3 * testPatience); len(seen) < n && time.Now().Before(deadline); time.Sleep(time.Second) {
		clear(seen)
		for key, content := range server.Objects(t, "lake") {
			text, err := decoder.DecodeAll(content, nil)
			require.NoError(t, err, key)
			objects[key] = string(text)
			for line := range strings.Lines(string(text)) {
				seen[line]++
			}
		}
	}
	require.NoError(t, e.Shutdown(context.Background())) // after all is there: at its end a process tries each only once

	assert.Len(t, seen, n)
	folders := make(map[string]bool)
	for key, text := range objects {
		folder := path.Dir(key)
		folders[folder] = true
		for line := range strings.Lines(text) {
			if seen[line] != 1 || !strings.Contains(line, `"at":"`+folder+`"`) {
				t.Errorf("%d times, in %s: %s", seen[line], key, line)
			}
		}
	}
	assert.Len(t, folders, 40*3*3)
	for f := range faults {
		assert.Positive(t, faults[f].Load(), "fault %d", f)
	}
	t.Logf("%d records in %d objects; requests: %d passed, %d 503, %d cut before, %d cut after they were stored",
		len(seen), len(objects), faults[peers.Pass].Load(), faults[peers.SlowDown].Load(), faults[peers.Cut].Load(), faults[peers.CutAfter].Load())
}

// TestLostAnswerLeavesOneObject: the server stores and the connection breaks, of one request and of each request of a
// multipart upload.
func TestLostAnswerLeavesOneObject(t *testing.T) {
	server := peers.StartS3(t)
	server.CreateBucket(t, "lake")
	for name, size := range map[string]int{"one request": 100, "parts": 20 << 20} {
		t.Run(name, func(t *testing.T) {
			proxy := peers.StartProxy(t, server.Endpoint)
			var mu sync.Mutex
			broken := map[string]bool{}
			proxy.Fault = func(r *http.Request) peers.Fault {
				mu.Lock()
				defer mu.Unlock()
				kind := r.Method + r.URL.Query().Get("partNumber")
				if _, ok := r.URL.Query()["uploads"]; ok {
					kind += "create"
				}
				if broken[kind] {
					return peers.Pass
				}
				broken[kind] = true
				return peers.CutAfter
			}
			cfg := onBucket(server, "lake")
			cfg.Endpoint, cfg.Root = proxy.URL, strings.ReplaceAll(name, " ", "-")
			e := start(t, cfg)
			line := `{"pad":"` + strings.Repeat("x", size) + `"}`
			require.NoError(t, e.ConsumeLogs(t.Context(), accounts(0, 1, line)))
			under := func() map[string][]byte {
				out := map[string][]byte{}
				for key, content := range server.Objects(t, "lake") {
					if strings.HasPrefix(key, cfg.Root+"/") {
						out[key] = content
					}
				}
				return out
			}
			require.Eventually(t, func() bool { return len(under()) > 0 }, testPatience, 50*time.Millisecond)
			require.NoError(t, e.Shutdown(context.Background()))
			objects := under()
			require.Len(t, objects, 1)
			for _, content := range objects {
				assert.Equal(t, line+"\n", string(content))
			}
			versions, err := server.Client().ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &cfg.Bucket, Prefix: &cfg.Root})
			require.NoError(t, err)
			assert.Len(t, versions.Versions, 1)
			assert.NotEmpty(t, broken)
		})
	}
}

// TestSlowDownBacksOff: each 503 doubles the wait, and one with Retry-After is obeyed.
func TestSlowDownBacksOff(t *testing.T) {
	server := peers.StartS3(t)
	for name, c := range map[string]struct {
		retryAfter string
		waits      []time.Duration // at least, between the attempts
	}{
		"doubled":     {"", []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}},
		"retry-after": {"2", []time.Duration{2 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			server.CreateBucket(t, name)
			proxy := peers.StartProxy(t, server.Endpoint)
			proxy.RetryAfter = c.retryAfter
			const each = 2 // requests of one attempt: the SDK tries once more at once
			var mu sync.Mutex
			var at []time.Time
			proxy.Fault = func(*http.Request) peers.Fault {
				mu.Lock()
				defer mu.Unlock()
				at = append(at, time.Now())
				if len(at) <= each*len(c.waits) {
					return peers.SlowDown
				}
				return peers.Pass
			}
			cfg := onBucket(server, name)
			cfg.Endpoint = proxy.URL
			cfg.RetryConfig.InitialInterval, cfg.RetryConfig.Multiplier, cfg.RetryConfig.RandomizationFactor = 200*time.Millisecond, 2, 0
			e := start(t, cfg)
			require.NoError(t, e.ConsumeLogs(t.Context(), accounts(0, 1, "{}")))
			require.Eventually(t, func() bool { return len(server.Objects(t, name)) == 1 }, testPatience, 50*time.Millisecond)
			require.NoError(t, e.Shutdown(context.Background()))
			mu.Lock()
			defer mu.Unlock()
			require.Len(t, at, each*len(c.waits)+1)
			for i, wait := range c.waits {
				assert.GreaterOrEqual(t, at[each*(i+1)].Sub(at[each*(i+1)-1]), wait)
			}
		})
	}
}

// TestHeaders: what the settings say is on the wire, under the signature, and the server took it.
func TestHeaders(t *testing.T) {
	server := peers.StartS3(t)
	server.CreateBucket(t, "lake")
	for name, size := range map[string]int{"one request": 100, "parts": 9 << 20} {
		t.Run(name, func(t *testing.T) {
			proxy := peers.StartProxy(t, server.Endpoint)
			cfg := onBucket(server, "lake")
			cfg.Endpoint = proxy.URL
			cfg.SSE.Type, cfg.SSE.KMSKeyID = objectstore.SSEKMS, "alias/siem"
			cfg.StorageClass, cfg.Tags = "STANDARD_IA", map[string]string{"team": "sec ops+1", "a": "ä"}
			store, err := objectstore.NewS3(t.Context(), cfg.s3())
			require.NoError(t, err)
			o, err := objectstore.NewObject("root", objectstore.Partition{EventType: name}, time.Now(), make([]byte, size), objectstore.None)
			require.NoError(t, err)
			_, err = store.Put(t.Context(), o)
			require.NoError(t, err)

			requests := proxy.Requests()
			first := requests[0]
			want := map[string]string{
				"X-Amz-Acl": "bucket-owner-full-control", "X-Amz-Server-Side-Encryption": "aws:kms",
				"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "alias/siem", "X-Amz-Storage-Class": "STANDARD_IA",
				"X-Amz-Tagging": "a=%C3%A4&team=sec+ops%2B1", "Content-Type": "application/x-ndjson",
			}
			for header, value := range want {
				assert.Equal(t, value, first.Header.Get(header), header)
				assert.Contains(t, first.Header.Get("Authorization"), strings.ToLower(header), "signed")
			}
			for _, r := range requests {
				if r.Method == http.MethodPut { // each body has its checksum
					assert.NotEmpty(t, r.Header.Get("X-Amz-Checksum-Sha256")+r.Header.Get("X-Amz-Checksum-Crc32"), r.URL)
					assert.Len(t, r.Header.Get("X-Amz-Content-Sha256"), 64, "the signature covers the body")
				}
				if name == "parts" { // a store that holds its policy to each part gets the ACL with each
					assert.Equal(t, "bucket-owner-full-control", r.Header.Get("X-Amz-Acl"), r.URL)
				}
			}
			last := requests[len(requests)-1]
			assert.Equal(t, "*", last.Header.Get("If-None-Match"))

			tags, err := server.Client().GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &cfg.Bucket, Key: &o.Key})
			require.NoError(t, err)
			got := map[string]string{}
			for _, tag := range tags.TagSet {
				got[*tag.Key] = *tag.Value
			}
			assert.Equal(t, cfg.Tags, got)
		})
	}
}

// TestAccess: each way to say who we are ends in an object that this user stored, or in a message that says what is missing.
func TestAccess(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/siempipe"
	server := peers.StartS3(t)
	server.CreateBucket(t, "lake")
	user := server.CreateUser(t, "writer")
	require.NoError(t, server.PutPolicy("lake", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["writer"]},
		"Action":["s3:PutObject","s3:PutObjectAcl"],"Resource":["arn:aws:s3:::lake/*"]}]}`))
	none := func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	}
	file := func(t *testing.T, text string) string {
		name := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	keys := func(u peers.User) string {
		return fmt.Sprintf("aws_access_key_id = %s\naws_secret_access_key = %s\n", u.AccessKey, u.SecretKey)
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, cfg *Config)
		hint    string // "" is success
	}{
		"static keys": {func(t *testing.T, _ *Config) {
			t.Setenv("AWS_ACCESS_KEY_ID", user.AccessKey)
			t.Setenv("AWS_SECRET_ACCESS_KEY", user.SecretKey)
		}, ""},
		"profile": {func(t *testing.T, _ *Config) {
			none(t)
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file(t, "[other]\naws_access_key_id = x\naws_secret_access_key = y\n[siem]\n"+keys(user)))
			t.Setenv("AWS_PROFILE", "siem")
		}, ""},
		"role": {func(t *testing.T, cfg *Config) {
			sts := peers.StartSTS(t, user)
			sts.RoleARN, sts.SessionName = role, "collector-7"
			cfg.RoleARN, cfg.SessionName = role, "collector-7"
		}, ""},
		"role with external ID": {func(t *testing.T, cfg *Config) {
			peers.StartSTS(t, user).ExternalID = "customer-42"
			cfg.RoleARN, cfg.ExternalID = role, "customer-42"
		}, ""},
		"role with the wrong external ID": {func(t *testing.T, cfg *Config) {
			peers.StartSTS(t, user).ExternalID = "customer-42"
			cfg.RoleARN, cfg.ExternalID = role, "customer-43"
		}, "external_id"},
		"web identity": {func(t *testing.T, _ *Config) {
			none(t)
			peers.StartSTS(t, user).Token = "eyJ.token"
			t.Setenv("AWS_ROLE_ARN", role)
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file(t, "eyJ.token"))
		}, ""},
		"web identity that is refused": {func(t *testing.T, _ *Config) {
			none(t)
			peers.StartSTS(t, user).Token = "eyJ.token"
			t.Setenv("AWS_ROLE_ARN", role)
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file(t, "other"))
		}, "AWS_WEB_IDENTITY_TOKEN_FILE"},
		"web identity, then a role": {func(t *testing.T, cfg *Config) {
			none(t)
			peers.StartSTS(t, user).Token = "eyJ.token"
			t.Setenv("AWS_ROLE_ARN", role)
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file(t, "eyJ.token"))
			cfg.RoleARN = "arn:aws:iam::444455556666:role/bucket"
		}, ""},
		"nobody": {func(t *testing.T, _ *Config) { none(t) }, "no credentials"},
		"somebody else": {func(t *testing.T, _ *Config) {
			u := server.CreateUser(t, "stranger")
			t.Setenv("AWS_ACCESS_KEY_ID", u.AccessKey)
			t.Setenv("AWS_SECRET_ACCESS_KEY", u.SecretKey)
		}, "s3:PutObject"},
		"another's bucket":   {func(_ *testing.T, cfg *Config) { cfg.ExpectedBucketOwner = "999999999999" }, "expected_bucket_owner"},
		"unknown access key": {func(t *testing.T, _ *Config) { t.Setenv("AWS_ACCESS_KEY_ID", "nobody") }, "access key"},
		"session that is over": {func(t *testing.T, cfg *Config) {
			peers.StartSTS(t, user).SessionToken = "token"
			cfg.RoleARN = role
		}, "session token"},
		"more tags than ever": {func(_ *testing.T, cfg *Config) { cfg.Tags = map[string]string{strings.Repeat("k", 129): "v"} }, "tags"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := onBucket(server, "lake")
			cfg.Root = strings.ReplaceAll(name, " ", "-")
			c.prepare(t, cfg)
			store, err := objectstore.NewS3(t.Context(), cfg.s3())
			require.NoError(t, err)
			o, err := objectstore.NewObject(cfg.Root, objectstore.Partition{}, time.Now(), []byte("{}\n"), objectstore.None)
			require.NoError(t, err)
			_, err = store.Put(t.Context(), o)
			if c.hint == "" {
				require.NoError(t, err)
				object, err := server.Client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &cfg.Bucket, Key: &o.Key})
				require.NoError(t, err)
				content, err := io.ReadAll(object.Body)
				require.NoError(t, err)
				assert.Equal(t, "{}\n", string(content))
				return
			}
			var failed *objectstore.Error
			require.ErrorAs(t, err, &failed)
			assert.Contains(t, failed.Hint, c.hint, err.Error())
			assert.False(t, failed.Permanent, "somebody can mend it, and the records wait")
		})
	}
}

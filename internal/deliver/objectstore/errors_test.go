package objectstore

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestS3Codes holds each code that AWS answers with to what the user is told, as far as no server here answers with it.
func TestS3Codes(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	o, err := NewObject("Panoptica", partition, time.Now(), []byte("{}\n"), None)
	require.NoError(t, err)
	for code, c := range map[string]struct {
		status     int
		header     string
		hint       string
		permanent  bool
		retryAfter time.Duration
	}{
		"AccessDenied":                  {status: 403, hint: "s3:PutObject, s3:PutObjectAcl, s3:PutObjectTagging, kms:GenerateDataKey, kms:Decrypt on the objects of lake"},
		"NoSuchBucket":                  {status: 404, hint: "create the bucket"},
		"PermanentRedirect":             {status: 301, header: "X-Amz-Bucket-Region: eu-west-3", hint: `set region to "eu-west-3"`},
		"AuthorizationHeaderMalformed":  {status: 400, hint: "set region"},
		"ExpiredToken":                  {status: 400, hint: "have expired"},
		"RequestTimeTooSkewed":          {status: 403, hint: "clock"},
		"AccessControlListNotSupported": {status: 400, hint: "acl"},
		"InvalidArgument":               {status: 400, hint: "acl, storage_class"},
		"InvalidStorageClass":           {status: 400, hint: "storage_class"},
		"KMS.DisabledException":         {status: 400, hint: "enable the KMS key"},
		"KMS.NotFoundException":         {status: 400, hint: "kms_key_id"},
		"NotImplemented":                {status: 501, hint: "If-None-Match"},
		"KeyTooLongError":               {status: 400, hint: "root", permanent: true},
		"SlowDown":                      {status: 503, header: "Retry-After: 7", retryAfter: 7 * time.Second},
		"ServiceUnavailable":            {status: 503},
		"RequestLimitExceeded":          {status: 503, header: "Retry-After: 99999999", retryAfter: maxRetryAfter},
		"InternalError":                 {status: 500},
		"BrandNewError":                 {status: 418},
	} {
		t.Run(code, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if name, value, ok := strings.Cut(c.header, ": "); ok {
					w.Header().Set(name, value)
				}
				w.WriteHeader(c.status)
				fmt.Fprintf(w, "<Error><Code>%s</Code><Message>words of the store</Message></Error>", code)
			}))
			defer server.Close()
			store, err := NewS3(t.Context(), S3Options{Bucket: "lake", Region: "us-east-1", Endpoint: server.URL, ForcePathStyle: true,
				ACL: "bucket-owner-full-control", SSEType: "aws:kms", Tags: map[string]string{"a": "b"}, ExpectedBucketOwner: "111122223333"})
			require.NoError(t, err)
			_, err = store.Put(t.Context(), o)
			var failed *Error
			require.ErrorAs(t, err, &failed)
			if c.hint == "" {
				assert.Empty(t, failed.Hint)
			}
			assert.Contains(t, failed.Hint, c.hint)
			assert.Equal(t, c.permanent, failed.Permanent)
			assert.Equal(t, c.retryAfter, failed.RetryAfter)
			assert.Contains(t, err.Error(), "bucket lake")
			assert.Contains(t, err.Error(), code, "what the store said stands in the message too")
		})
	}
}

// TestDirectoryComesLater: rights and disks that are missing fail each put with a message, and the next one works.
func TestDirectoryComesLater(t *testing.T) {
	o, err := NewObject("Panoptica", partition, time.Now(), []byte("{}\n"), None)
	require.NoError(t, err)
	put := func(t *testing.T, store *Directory) *Error {
		t.Helper()
		_, err := store.Put(t.Context(), o)
		if err == nil {
			return nil
		}
		var failed *Error
		require.ErrorAs(t, err, &failed)
		assert.False(t, failed.Permanent)
		return failed
	}
	t.Run("a file in its place", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "out")
		require.NoError(t, os.WriteFile(dir, nil, 0o600))
		store, err := NewDirectory(dir)
		require.NoError(t, err, "the collector starts")
		defer store.Close()
		assert.Contains(t, put(t, store).Hint, "a file stands where")
		require.NoError(t, os.Remove(dir))
		assert.Nil(t, put(t, store))
	})
	t.Run("removed meanwhile", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "out")
		store, err := NewDirectory(dir)
		require.NoError(t, err)
		defer store.Close()
		for range 2 {
			assert.Nil(t, put(t, store))
			assert.FileExists(t, filepath.Join(dir, o.Key))
			require.NoError(t, os.RemoveAll(dir))
		}
	})
	t.Run("another in its place", func(t *testing.T) { // as when a disk is mounted over it
		dir := filepath.Join(t.TempDir(), "out")
		store, err := NewDirectory(dir)
		require.NoError(t, err)
		defer store.Close()
		assert.Nil(t, put(t, store))
		require.NoError(t, os.Rename(dir, dir+"-before"))
		require.NoError(t, os.Mkdir(dir, 0o700))
		assert.Nil(t, put(t, store))
		assert.FileExists(t, filepath.Join(dir, o.Key))
	})
	t.Run("no rights", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "out")
		require.NoError(t, os.Mkdir(dir, 0o500))
		store, err := NewDirectory(dir)
		require.NoError(t, err)
		defer store.Close()
		asNobody(t, filepath.Dir(dir), func() { assert.Contains(t, put(t, store).Hint, "must be writable") })
		require.NoError(t, os.Chmod(dir, 0o777))
		asNobody(t, filepath.Dir(dir), func() { assert.Nil(t, put(t, store)) })
	})
}

// asNobody does f without the rights of root, which stop at nothing. Root lets others through the folders above dir.
func asNobody(t *testing.T, dir string, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	for ; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	require.NoError(t, syscall.Setfsuid(65534)) // of this thread, and with it go the capabilities over files
	defer func() { require.NoError(t, syscall.Setfsuid(0)) }()
	f()
}

// fullDisk is set in the process that has a small disk of its own.
const fullDisk = "SIEMPIPE_TEST_FULL_DISK"

// TestDirectoryFull fills a real disk, in a process with a mount namespace of its own.
func TestDirectoryFull(t *testing.T) {
	if dir := os.Getenv(fullDisk); dir != "" {
		onFullDisk(t, dir)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDirectoryFull$", "-test.v")
	cmd.Env = append(os.Environ(), fullDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil && strings.Contains(err.Error(), "operation not permitted") || strings.Contains(string(out), "SMALL DISK: operation not permitted") {
		t.Skipf("NOT TESTED: this system lets nobody mount a disk, so that none can be full: %v %s", err, out)
	}
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "DISK WAS FULL")
}

func onFullDisk(t *testing.T, dir string) {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatalf("SMALL DISK: %v", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("SMALL DISK: %v", err)
	}
	store, err := NewDirectory(dir)
	require.NoError(t, err)
	filler := filepath.Join(dir, "filler")
	require.NoError(t, os.WriteFile(filler, make([]byte, 160<<10), 0o600))
	o, err := NewObject("Panoptica", partition, time.Now(), []byte(strings.Repeat("x", 200<<10)+"\n"), None)
	require.NoError(t, err)
	_, err = store.Put(t.Context(), o)
	var failed *Error
	require.ErrorAs(t, err, &failed)
	assert.Contains(t, failed.Hint, "make room")
	assert.False(t, failed.Permanent)
	files, err := filepath.Glob(filepath.Join(dir, filepath.Dir(o.Key), "*"))
	require.NoError(t, err)
	hidden, err := filepath.Glob(filepath.Join(dir, filepath.Dir(o.Key), ".*.tmp"))
	require.NoError(t, err)
	assert.Empty(t, append(files, hidden...), "nothing half-written is left")
	require.NoError(t, os.Remove(filler))
	_, err = store.Put(t.Context(), o)
	require.NoError(t, err, "with room again it is stored")
	content, err := os.ReadFile(filepath.Join(dir, o.Key))
	require.NoError(t, err)
	assert.Equal(t, string(o.Content), string(content))
	t.Log("DISK WAS FULL")
}

package digest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
)

// trail is a bucket with the digests of some hours, signed as AWS documents it:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html
type trail struct {
	objects    map[string][]byte
	signatures map[string]string
	digests    []string // keys, in order
	opened     int
	key        *rsa.PrivateKey
}

const (
	bucket      = "trails"
	fingerprint = "31e8b5433410dfb61a9dc45cc65b22ff"
)

var begin = time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)

var testKey = func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}()

func logKey(hour, n int) string {
	return fmt.Sprintf("AWSLogs/111122223333/CloudTrail/us-east-2/2024/05/01/111122223333_CloudTrail_us-east-2_%s_%d.json.gz", begin.Add(time.Duration(hour)*time.Hour).Format("20060102T1504Z"), n)
}

func newTrail(t *testing.T, hours, files int) *trail {
	t.Helper()
	tr := &trail{objects: map[string][]byte{}, signatures: map[string]string{}, key: testKey}
	type previous struct{ bucket, object, hash, algorithm, signature any }
	var before previous
	for hour := range hours {
		var listed []map[string]any
		for n := range files {
			key := logKey(hour, n)
			tr.objects[key] = []byte(fmt.Sprintf(`{"Records":[{"eventID":"%d-%d"}]}`, hour, n))
			listed = append(listed, map[string]any{"s3Bucket": bucket, "s3Object": key, "hashValue": sumOf(tr.objects[key]).String(), "hashAlgorithm": "SHA-256"})
		}
		end := begin.Add(time.Duration(hour+1) * time.Hour)
		key := "AWSLogs/111122223333/CloudTrail-Digest/us-east-2/2024/05/01/111122223333_CloudTrail-Digest_us-east-2_main_us-east-2_" + end.Format("20060102T150405Z") + ".json.gz"
		content, err := json.Marshal(map[string]any{
			"awsAccountId": "111122223333", "digestStartTime": end.Add(-time.Hour).Format(time.RFC3339), "digestEndTime": end.Format(time.RFC3339),
			"digestS3Bucket": bucket, "digestS3Object": key, "digestPublicKeyFingerprint": fingerprint, "digestSignatureAlgorithm": "SHA256withRSA",
			"previousDigestS3Bucket": before.bucket, "previousDigestS3Object": before.object, "previousDigestHashValue": before.hash,
			"previousDigestHashAlgorithm": before.algorithm, "previousDigestSignature": before.signature, "logFiles": listed,
		})
		if err != nil {
			t.Fatal(err)
		}
		tr.put(t, key, content, before.signature, end)
		tr.digests = append(tr.digests, key)
		before = previous{bucket, key, sumOf(content).String(), "SHA-256", tr.signatures[key]}
	}
	return tr
}

func sumOf(content []byte) Sum { return sha256.Sum256(content) }

func (tr *trail) put(t *testing.T, key string, content []byte, previousSignature any, end time.Time) {
	t.Helper()
	if previousSignature == nil {
		previousSignature = "null"
	}
	signed := sha256.Sum256([]byte(fmt.Sprintf("%s\n%s/%s\n%s\n%s", end.Format(time.RFC3339), bucket, key, sumOf(content), previousSignature)))
	sig, err := rsa.SignPKCS1v15(rand.Reader, tr.key, crypto.SHA256, signed[:])
	if err != nil {
		t.Fatal(err)
	}
	tr.objects[key], tr.signatures[key] = content, hex.EncodeToString(sig)
}

func (tr *trail) open(_ context.Context, b, key string) (io.ReadCloser, error) {
	tr.opened++
	content, ok := tr.objects[key]
	if b != bucket || !ok {
		return nil, &fs.PathError{Op: "open", Path: key, Err: fs.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

// check checks a digest and returns the kinds and objects of what is wrong.
func (tr *trail) check(t *testing.T, c *Checker, key string) (found []string) {
	t.Helper()
	problems, err := c.Check(t.Context(), Object{Bucket: bucket, Object: key, Content: tr.objects[key], Signature: tr.signatures[key]})
	if err != nil {
		t.Fatal(err)
	}
	for i := range problems {
		found = append(found, string(problems[i].Kind)+" "+problems[i].Object)
		checkFinding(t, &problems[i])
	}
	return found
}

// checkFinding: every problem is a finding that the panoptica format takes.
func checkFinding(t *testing.T, p *Problem) {
	t.Helper()
	parser, err := format.NewParser(format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var rec record.Record
	parser.Parse(string(p.Finding()), "", time.Now(), &rec)
	if rec.EventType != record.SecurityFinding || rec.Severity.String() != p.Severity() || rec.Error != "" || rec.ID == "" {
		t.Errorf("%s: %+v", p.Finding(), rec)
	}
}

func (tr *trail) keys(t *testing.T) *Keys {
	t.Helper()
	value := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&tr.key.PublicKey))
	keys, err := ParseKeys([]byte(`{"PublicKeyList":[{"Fingerprint":"` + fingerprint + `","Value":"` + value + `","ValidityStartTime":"2024-01-01T00:00:00Z"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestChecker(t *testing.T) {
	edit := func(old, new string) func(tr *trail) {
		return func(tr *trail) {
			key := tr.digests[2]
			tr.objects[key] = []byte(strings.Replace(string(tr.objects[key]), old, new, 1))
		}
	}
	for name, test := range map[string]struct {
		damage func(tr *trail)
		want   func(tr *trail) []string // of all digests together
	}{
		"all well": {func(*trail) {}, func(*trail) []string { return nil }},
		"a log file is gone": {func(tr *trail) { delete(tr.objects, logKey(1, 0)) },
			func(tr *trail) []string { return []string{"log_file_missing " + logKey(1, 0)} }},
		"a log file is changed": {func(tr *trail) { tr.objects[logKey(2, 1)] = []byte(`{"Records":[]}`) },
			func(tr *trail) []string { return []string{"log_file_changed " + logKey(2, 1)} }},
		"a digest is gone": {func(tr *trail) { delete(tr.objects, tr.digests[1]); tr.digests = slices.Delete(tr.digests, 1, 2) },
			func(tr *trail) []string {
				return []string{"digest_missing " + strings.Replace(tr.digests[0], "T110000Z", "T120000Z", 1)}
			}},
		"a digest lists a file no more": {edit(`"logFiles":[{`, `"logFiles":[],"x":[{`),
			func(tr *trail) []string {
				return []string{"bad_signature " + tr.digests[2], "digest_changed " + tr.digests[2]}
			}},
		"a digest is not signed": {func(tr *trail) { tr.signatures[tr.digests[3]] = "" },
			func(tr *trail) []string { return []string{"bad_signature " + tr.digests[3]} }},
		"a digest is another's copy": {func(tr *trail) {
			tr.digests = append(tr.digests, "AWSLogs/copy_CloudTrail-Digest_x.json.gz")
			tr.objects[tr.digests[4]], tr.signatures[tr.digests[4]] = tr.objects[tr.digests[3]], tr.signatures[tr.digests[3]]
		}, func(tr *trail) []string { return []string{"moved " + tr.digests[4]} }},
		"a digest is garbage": {func(tr *trail) { tr.objects[tr.digests[3]] = []byte(`{"awsAccountId":`) },
			func(tr *trail) []string { return []string{"unreadable " + tr.digests[3]} }},
	} {
		for _, remembers := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", remembered ", remembers), func(t *testing.T) {
				tr := newTrail(t, 4, 2)
				test.damage(tr)
				c := NewChecker(tr.open, tr.keys(t))
				if remembers {
					for key, content := range tr.objects {
						if IsLogFile(key) {
							c.LogFile(bucket, key, sumOf(content))
						}
					}
				}
				var found []string
				for _, key := range tr.digests {
					found = append(found, tr.check(t, c, key)...)
				}
				want := test.want(tr)
				slices.Sort(found)
				slices.Sort(want)
				if !slices.Equal(found, want) {
					t.Errorf("%q, want %q", found, want)
				}
			})
		}
	}
}

// TestRemembered: a log file that was read is not opened again.
func TestRemembered(t *testing.T) {
	tr := newTrail(t, 2, 3)
	c := NewChecker(tr.open, nil)
	for key, content := range tr.objects {
		if IsLogFile(key) {
			c.LogFile(bucket, key, sumOf(content))
		}
	}
	for _, key := range tr.digests {
		if found := tr.check(t, c, key); found != nil {
			t.Error(found)
		}
	}
	if tr.opened != 1 { // the first digest, for the second
		t.Errorf("%d objects opened", tr.opened)
	}
	if again := tr.check(t, c, tr.digests[1]); again != nil { // all is opened now
		t.Error(again)
	}
}

// TestReplica: a replicated bucket is checked by itself, though its digests name the bucket that they were delivered to.
func TestReplica(t *testing.T) {
	tr := newTrail(t, 3, 2)
	delete(tr.objects, logKey(1, 1))
	const replica = "trails-replica"
	c := NewChecker(func(ctx context.Context, b, key string) (io.ReadCloser, error) {
		if b != replica {
			t.Errorf("opens %s/%s", b, key)
		}
		return tr.open(ctx, bucket, key)
	}, tr.keys(t))
	var found []string
	for _, key := range tr.digests {
		problems, err := c.Check(t.Context(), Object{Bucket: replica, Object: key, Content: tr.objects[key], Signature: tr.signatures[key]})
		if err != nil {
			t.Fatal(err)
		}
		for i := range problems {
			found = append(found, string(problems[i].Kind)+" "+problems[i].Bucket+" "+problems[i].Object)
		}
	}
	if want := []string{"log_file_missing " + replica + " " + logKey(1, 1)}; !slices.Equal(found, want) {
		t.Errorf("%q, want %q", found, want)
	}
}

func TestGaps(t *testing.T) {
	tr := newTrail(t, 1, 1)
	other := newTrail(t, 1, 0)
	c := NewChecker(tr.open, nil)
	tr.check(t, c, tr.digests[0])

	// Logging was stopped: a later digest says that it is the first.
	later := strings.Replace(tr.digests[0], "T110000Z", "T200000Z", 1)
	content := strings.NewReplacer("T110000Z", "T200000Z", "T11:00:00Z", "T20:00:00Z", "T10:00:00Z", "T19:00:00Z").Replace(string(other.objects[other.digests[0]]))
	tr.objects[later] = []byte(content)
	if found := tr.check(t, c, later); !slices.Equal(found, []string{"gap " + later}) {
		t.Error(found)
	}

	// A digest follows one that ended before.
	last := strings.Replace(tr.digests[0], "T110000Z", "T230000Z", 1)
	d := map[string]any{}
	if err := json.Unmarshal([]byte(content), &d); err != nil {
		t.Fatal(err)
	}
	d["digestStartTime"], d["digestEndTime"], d["digestS3Object"] = "2024-05-01T22:00:00Z", "2024-05-01T23:00:00Z", last
	d["previousDigestS3Bucket"], d["previousDigestS3Object"], d["previousDigestHashValue"], d["previousDigestHashAlgorithm"] = bucket, later, sumOf([]byte(content)).String(), "SHA-256"
	tr.objects[last], _ = json.Marshal(d)
	if found := tr.check(t, c, last); !slices.Equal(found, []string{"gap " + last}) {
		t.Error(found)
	}
}

func TestKeyMissing(t *testing.T) {
	tr := newTrail(t, 1, 1)
	keys := tr.keys(t)
	keys.byFingerprint = map[string]*rsa.PublicKey{"other": &testKey.PublicKey}
	if found := tr.check(t, NewChecker(tr.open, keys), tr.digests[0]); !slices.Equal(found, []string{"unverified " + tr.digests[0]}) {
		t.Error(found)
	}
}

func TestKeysInPEM(t *testing.T) {
	tr := newTrail(t, 1, 1)
	pkix, err := x509.MarshalPKIXPublicKey(&testKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range []*pem.Block{{Type: "PUBLIC KEY", Bytes: pkix}, {Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&testKey.PublicKey)}} {
		keys, err := ParseKeys(pem.EncodeToMemory(block))
		if err != nil {
			t.Fatal(err)
		}
		if found := tr.check(t, NewChecker(tr.open, keys), tr.digests[0]); found != nil {
			t.Error(found)
		}
	}
	for _, bad := range []string{"", "{}", `{"PublicKeyList":[{"Value":"!"}]}`, `{"PublicKeyList":[{"Value":"AAAA"}]}`, "-----BEGIN X-----\nAAAA\n-----END X-----\n"} {
		if _, err := ParseKeys([]byte(bad)); err == nil {
			t.Errorf("%q is taken for keys", bad)
		}
	}
}

// TestOpenFails: an error that may pass accuses nobody.
func TestOpenFails(t *testing.T) {
	tr := newTrail(t, 2, 1)
	throttled := errors.New("slow down")
	c := NewChecker(func(context.Context, string, string) (io.ReadCloser, error) { return nil, throttled }, nil)
	for _, key := range tr.digests {
		problems, err := c.Check(t.Context(), Object{Bucket: bucket, Object: key, Content: tr.objects[key]})
		if !errors.Is(err, throttled) || problems != nil {
			t.Errorf("%v, %v", problems, err)
		}
	}
}

func TestIsDigest(t *testing.T) {
	tr := newTrail(t, 1, 1)
	if !IsDigest(tr.digests[0]) || IsLogFile(tr.digests[0]) || IsDigest(logKey(0, 0)) || !IsLogFile(logKey(0, 0)) {
		t.Error("digests and log files are mixed up")
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"awsAccountId":"1","digestStartTime":"2024-05-01T22:00:00Z","digestEndTime":"2024-05-01T23:00:00Z","digestS3Bucket":"b","digestS3Object":"o","logFiles":[{"s3Bucket":"b"}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		tr := &trail{key: testKey}
		problems, err := NewChecker(tr.open, nil).Check(t.Context(), Object{Bucket: "b", Object: "o", Content: content})
		if err != nil {
			t.Fatal(err)
		}
		for i := range problems {
			checkFinding(t, &problems[i])
		}
	})
}

package cloudstoragereceiver

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/record"
)

// digest puts a digest of log files and returns its key and content.
func (p *s3Peer) digest(hour int, previousKey, previous string, files map[string]string, signer *rsa.PrivateKey) (key, content string) {
	end := time.Date(2026, 5, 1, hour, 0, 0, 0, time.UTC)
	key = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/05/01/111122223333_CloudTrail-Digest_us-east-1_main_us-east-1_" + end.Format("20060102T150405Z") + ".json.gz"
	sum := func(text string) string { h := sha256.Sum256([]byte(text)); return hex.EncodeToString(h[:]) }
	d := map[string]any{
		"awsAccountId": "111122223333", "digestStartTime": end.Add(-time.Hour), "digestEndTime": end, "digestS3Bucket": p.bucket,
		"digestS3Object": key, "digestPublicKeyFingerprint": "31e8b5433410dfb61a9dc45cc65b22ff", "digestSignatureAlgorithm": "SHA256withRSA",
	}
	if previousKey != "" {
		d["previousDigestS3Bucket"], d["previousDigestS3Object"] = p.bucket, previousKey
		d["previousDigestHashValue"], d["previousDigestHashAlgorithm"] = sum(previous), "SHA-256"
		d["previousDigestSignature"] = "00"
	}
	listed := []map[string]any{}
	for name, text := range files {
		listed = append(listed, map[string]any{"s3Bucket": p.bucket, "s3Object": name, "hashValue": sum(text), "hashAlgorithm": "SHA-256"})
	}
	d["logFiles"] = listed
	raw, err := json.Marshal(d)
	require.NoError(p.t, err)
	input := &s3.PutObjectInput{Bucket: &p.bucket, Key: &key, Body: strings.NewReader(gz(string(raw)))}
	if signer != nil {
		before := "null"
		if previousKey != "" {
			before = "00"
		}
		signed := sha256.Sum256([]byte(end.Format(time.RFC3339) + "\n" + p.bucket + "/" + key + "\n" + sum(string(raw)) + "\n" + before))
		signature, err := rsa.SignPKCS1v15(rand.Reader, signer, crypto.SHA256, signed[:])
		require.NoError(p.t, err)
		input.Metadata = map[string]string{"signature": hex.EncodeToString(signature)}
	}
	_, err = p.client.PutObject(context.Background(), input)
	require.NoError(p.t, err)
	return key, string(raw)
}

// TestDigestSignatures: with the public key, a digest that it did not sign becomes a finding, and one that it did does not.
func TestDigestSignatures(t *testing.T) {
	p := startS3(t)
	signer, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	keys := filepath.Join(t.TempDir(), "keys.json")
	list, err := json.Marshal(map[string]any{"PublicKeyList": []any{map[string]any{
		"Fingerprint": "31e8b5433410dfb61a9dc45cc65b22ff", "Value": x509.MarshalPKCS1PublicKey(&signer.PublicKey),
	}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keys, list, 0o600))
	signed, text := p.digest(1, "", "", nil, signer)
	unsigned, _ := p.digest(2, signed, text, nil, nil)
	s := newSink()
	r := start(t, t.TempDir(), s, func(c *Config) { p.config(c); c.CloudTrailDigests.PublicKeys = keys })
	s.waitFor(t, 2+1)
	r.idle(t)
	got := s.got()
	require.Len(t, got, 3)
	for body := range got {
		if s.attributes(body)[record.AttrFormat] == findingFormat {
			assert.Contains(t, body, "signature")
			assert.Contains(t, body, unsigned)
		}
	}

	_, err = tryStart(t, t.TempDir(), s, func(c *Config) { p.config(c); c.CloudTrailDigests.PublicKeys = keys + ".missing" })
	require.ErrorContains(t, err, "cloudtrail_digests::public_keys")
}

// TestDigests: a log file that was changed after its digest, and one that was removed, become findings; what holds does not.
func TestDigests(t *testing.T) {
	p := startS3(t)
	logFile := func(n int) (key, text string) {
		key = fmt.Sprintf("AWSLogs/111122223333/CloudTrail/us-east-1/2026/05/01/111122223333_CloudTrail_us-east-1_20260501T0%d00Z_x.json.gz", n)
		return key, fmt.Sprintf(`{"Records":[{"eventID":"%d"}]}`, n)
	}
	good, goodText := logFile(0)
	p.put(good, gz(goodText))
	gone, goneText := logFile(1)
	changed, changedText := logFile(2)
	p.put(changed, gz(`{"Records":[{"eventID":"rewritten"}]}`))
	first, firstText := p.digest(1, "", "", map[string]string{good: goodText}, nil)
	p.digest(2, first, firstText, map[string]string{gone: goneText, changed: changedText}, nil)

	s := newSink()
	dir := t.TempDir()
	r := start(t, dir, s, p.config)
	s.waitFor(t, 2+2+2)
	r.idle(t)
	findings := map[string]string{}
	for body, n := range s.got() {
		assert.Equal(t, 1, n, body)
		if s.attributes(body)[record.AttrFormat] == findingFormat {
			var finding map[string]any
			require.NoError(t, json.Unmarshal([]byte(body), &finding))
			findings[fmt.Sprint(finding["alert_id"])] = body
		}
	}
	require.Len(t, findings, 2)
	all := ""
	for _, body := range findings {
		assert.Contains(t, body, "Critical")
		all += body
	}
	assert.Contains(t, all, gone)
	assert.Contains(t, all, changed)
	assert.NotContains(t, all, good)

	// A log file that is there but cannot be read is no finding: the digest is checked again, its row does not come again.
	third, _ := logFile(3)
	p.put(third, "\x1f\x8b\x08broken")
	p.digest(3, "", "", map[string]string{third: "x"}, nil)
	eventually(t, func() bool { return r.counts(t, "objects", "outcome")["broken"] >= 3 }, func() string { return "not tried" })
	_, err := p.client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &p.bucket, Key: &third})
	require.NoError(t, err)
	eventually(t, func() bool {
		for body := range s.got() {
			if s.attributes(body)[record.AttrFormat] == findingFormat && assert.ObjectsAreEqual(1, s.got()[body]) && findings[body] == "" {
				findings[body] = body
			}
		}
		return len(findings) >= 4
	}, func() string { return fmt.Sprint(findings) })
	for body, n := range s.got() {
		assert.Equal(t, 1, n, body)
	}
}

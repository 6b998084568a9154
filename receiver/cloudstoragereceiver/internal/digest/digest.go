// Package digest checks CloudTrail's digests: that each log file which a digest lists is there and unchanged, that
// each digest follows the one before it without a gap, and that AWS signed it. Whoever deletes or rewrites log files to
// hide what he did breaks one of the three.
//
// It reads no bucket itself: the caller tells it what it read and opens what is missing. It imports nothing of the
// Collector.
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// MaxBytes is how much of a digest is read. One that lists 10,000 files has about 5 MB.
const MaxBytes = 64 << 20

// Digest is what a digest file says.
type Digest struct {
	AccountID string    `json:"awsAccountId"`
	Start     time.Time `json:"digestStartTime"`
	End       time.Time `json:"digestEndTime"`
	Bucket    string    `json:"digestS3Bucket"`
	Object    string    `json:"digestS3Object"`
	// Fingerprint is that of the public key whose private key signed the digest.
	Fingerprint        string `json:"digestPublicKeyFingerprint"`
	SignatureAlgorithm string `json:"digestSignatureAlgorithm"`
	// Of a trail's first digest all that is previous is empty.
	PreviousBucket        string `json:"previousDigestS3Bucket"`
	PreviousObject        string `json:"previousDigestS3Object"`
	PreviousHash          string `json:"previousDigestHashValue"`
	PreviousHashAlgorithm string `json:"previousDigestHashAlgorithm"`
	PreviousSignature     string `json:"previousDigestSignature"`

	Files []File `json:"logFiles"`

	end string // as it is written: the signature is over that
	sum Sum
}

// File is a log file that a digest lists.
type File struct {
	Bucket        string `json:"s3Bucket"`
	Object        string `json:"s3Object"`
	Hash          string `json:"hashValue"`
	HashAlgorithm string `json:"hashAlgorithm"`
}

// Sum is the SHA-256 of an object's uncompressed content.
type Sum [sha256.Size]byte

// String is the sum as digests write it.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// hashAlgorithm is the only one that digests use.
const hashAlgorithm = "SHA-256"

// Parse reads a digest's uncompressed content.
func Parse(content []byte) (*Digest, error) {
	d := &Digest{sum: sha256.Sum256(content)}
	if err := json.Unmarshal(content, d); err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	var written struct {
		End string `json:"digestEndTime"`
	}
	if err := json.Unmarshal(content, &written); err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	d.end = written.End
	switch {
	case d.Bucket == "" || d.Object == "":
		return nil, errors.New("digest: digestS3Bucket or digestS3Object is missing")
	case d.End.IsZero() || d.Start.IsZero():
		return nil, errors.New("digest: digestStartTime or digestEndTime is missing")
	}
	return d, nil
}

// IsDigest reports whether an object's key is that of a digest:
// AWSLogs/[o-…/]<account>/CloudTrail-Digest/<region>/YYYY/MM/DD/<account>_CloudTrail-Digest_<region>_<trail>_<region>_<time>.json.gz
func IsDigest(key string) bool {
	return strings.Contains(key, "/CloudTrail-Digest/") && strings.Contains(path.Base(key), "_CloudTrail-Digest_")
}

// IsLogFile reports whether an object's key is that of a log file that digests list: events and Insights.
func IsLogFile(key string) bool {
	name := path.Base(key)
	return strings.Contains(name, "_CloudTrail_") || strings.Contains(name, "_CloudTrail-Insight_")
}

// chain names the digests that follow each other: those of a trail in a region.
func (d *Digest) chain() string {
	name := path.Base(d.Object)
	if cut := strings.LastIndexByte(name, '_'); cut > 0 {
		name = name[:cut]
	}
	return d.Bucket + "/" + name
}

// first reports whether the digest begins a chain.
func (d *Digest) first() bool { return d.PreviousObject == "" }

// ARN names an object.
func ARN(bucket, object string) string { return "arn:aws:s3:::" + bucket + "/" + object }

package cloudstoragereceiver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/read/unpack"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/digest"
)

// findingFormat is the source format of findings about digests.
const findingFormat = "panoptica"

// newChecker makes the checker of CloudTrail's digests, nil where none are checked.
func (c *cloudStorage) newChecker() (*digest.Checker, error) {
	cfg := &c.cfg.CloudTrailDigests
	if !cfg.Check || !c.cfg.S3.HasValue() {
		return nil, nil
	}
	var keys *digest.Keys
	if cfg.PublicKeys != "" {
		var err error
		if keys, err = digest.ReadKeys(cfg.PublicKeys); err != nil {
			return nil, fmt.Errorf("cloudtrail_digests::public_keys: %w", err)
		}
	}
	return digest.NewChecker(c.openListed, keys), nil
}

// openListed opens what a digest lists.
func (c *cloudStorage) openListed(ctx context.Context, name, key string) (io.ReadCloser, error) {
	raw, err := bucket.NewReader(ctx, c.bucket, bucket.Object{Bucket: name, Key: key}, 0, c.cfg.ReadTimeout)
	if err != nil {
		if bucket.KindOf(err) == bucket.NotFound {
			err = fs.ErrNotExist
		}
		return nil, err
	}
	plain, err := unpack.NewReader(raw, c.cfg.unpackLimit())
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return &listed{Reader: plain, raw: raw}, nil
}

// listed is an open object that a digest lists.
type listed struct {
	*unpack.Reader
	raw *bucket.Reader
}

func (l *listed) Close() error {
	l.Reader.Close()
	return l.raw.Close()
}

// digestInput gathers what the checker needs to know of one object while it is read: the hash of a log file, the content of a digest.
type digestInput struct {
	checker *digest.Checker
	bucket  string
	key     string
	sum     hash.Hash     // of a log file
	content *bytes.Buffer // of a digest
}

// newDigestInput is nil for all objects but CloudTrail's.
func (c *cloudStorage) newDigestInput(o bucket.Object) *digestInput {
	if c.checker == nil {
		return nil
	}
	d := &digestInput{checker: c.checker, bucket: o.Bucket, key: o.Key}
	if d.bucket == "" {
		d.bucket = c.bucket.Name()
	}
	switch {
	case digest.IsDigest(o.Key):
		d.content = &bytes.Buffer{}
	case digest.IsLogFile(o.Key):
		d.sum = sha256.New()
	default:
		return nil
	}
	return d
}

// tee returns a reader of r that also feeds the input. A nil input returns r itself.
func (d *digestInput) tee(r io.Reader) io.Reader {
	switch {
	case d == nil:
		return r
	case d.sum != nil:
		return io.TeeReader(r, d.sum)
	}
	return io.TeeReader(r, &limitedBuffer{d.content})
}

// limitedBuffer keeps one byte more than a digest may have.
type limitedBuffer struct{ *bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if left := digest.MaxBytes + 1 - b.Len(); left > 0 {
		b.Buffer.Write(p[:min(len(p), left)])
	}
	return len(p), nil
}

// checkDigest is called when the object was read whole. It tells the checker the hash of a log file, and delivers what is wrong with a
// digest as findings.
func (r *objectReader) checkDigest(ctx context.Context) error {
	d := r.digestInput
	if d == nil {
		return nil
	}
	if d.sum != nil {
		d.checker.LogFile(d.bucket, d.key, digest.Sum(d.sum.Sum(nil)))
		return nil
	}
	problems, err := d.checker.Check(ctx, digest.Object{
		Bucket: d.bucket, Object: d.key, Content: d.content.Bytes(), Signature: r.raw.Metadata()["signature"],
	})
	if err != nil {
		return fmt.Errorf("check of the digest: %w", err)
	}
	findings := batch{c: r.c, format: findingFormat, received: r.batch.received}
	for i := range problems {
		p := &problems[i]
		r.c.set.Logger.Error("CloudTrail's digest does not hold", zap.String("problem", string(p.Kind)),
			zap.String("object", digest.ARN(p.Bucket, p.Object)), zap.String("detail", p.Detail),
			zap.String("digest", digest.ARN(p.DigestBucket, p.DigestObject)))
		findings.add(payload.Item{Index: i, Raw: string(p.Finding())})
	}
	return findings.deliver(ctx)
}

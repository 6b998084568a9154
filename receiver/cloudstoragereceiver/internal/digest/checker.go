package digest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// maxRemembered is how many log files and digests are remembered at most, about 40 MB: a digest comes an hour behind its
// files, and what is forgotten is opened again.
const maxRemembered = 200_000

// Opener opens an object and returns its uncompressed content. Its error is fs.ErrNotExist where the object does not exist;
// any other one ends the check, which can be tried again.
type Opener func(ctx context.Context, bucket, object string) (io.ReadCloser, error)

// Checker checks digests. It is safe for concurrent use. It keeps what it was told in memory only: after a restart, or where
// another collector read the log files, it opens what it does not remember.
type Checker struct {
	open Opener
	keys *Keys

	mu     sync.Mutex
	files  remembered[Sum]
	chains remembered[time.Time] // until when the newest digest of each chain reaches
}

// NewChecker makes a checker. keys may be nil: then no signature is checked.
func NewChecker(open Opener, keys *Keys) *Checker {
	return &Checker{open: open, keys: keys}
}

// LogFile remembers the sum of a log file that was read whole, uncompressed, from where it was stored.
func (c *Checker) LogFile(bucket, object string, sum Sum) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files.put(bucket+"/"+object, sum)
}

// Object is a digest as it was read.
type Object struct {
	Bucket, Object string
	// Content is uncompressed.
	Content []byte
	// Signature is the object's metadata "signature", in hexadecimal.
	Signature string
}

// Check checks a digest and returns what is wrong, nothing when all is well. Checking it again gives the same. The error is
// one of opening an object: nothing is then known, and the digest must be checked again.
func (c *Checker) Check(ctx context.Context, o Object) ([]Problem, error) {
	d, err := Parse(o.Content)
	if err != nil {
		return []Problem{{Kind: Unreadable, Bucket: o.Bucket, Object: o.Object, DigestBucket: o.Bucket, DigestObject: o.Object, Detail: err.Error()}}, nil
	}
	var problems []Problem
	report := func(kind Kind, bucket, object, detail string) {
		problems = append(problems, Problem{Kind: kind, Bucket: bucket, Object: object, Detail: detail,
			AccountID: d.AccountID, DigestBucket: o.Bucket, DigestObject: o.Object, Time: d.End})
	}
	if d.Object != o.Object { // another bucket is a replica: it is read as if it were the one that was delivered to
		report(Moved, o.Bucket, o.Object, "the digest says that it was delivered as "+ARN(d.Bucket, d.Object))
	}
	if c.keys != nil {
		if err := c.keys.verify(d, o.Signature); errors.Is(err, errNoKey) {
			report(Unverified, o.Bucket, o.Object, fmt.Sprintf("%v (fingerprint %.64s)", err, d.Fingerprint))
		} else if err != nil {
			report(BadSignature, o.Bucket, o.Object, err.Error())
		}
	}
	delivered := d.Bucket
	here := func(bucket string) string {
		if bucket == delivered {
			return o.Bucket
		}
		return bucket
	}
	d.Bucket, d.PreviousBucket = o.Bucket, here(d.PreviousBucket)
	for i := range d.Files {
		d.Files[i].Bucket = here(d.Files[i].Bucket)
	}
	if err := c.checkPrevious(ctx, d, report); err != nil {
		return nil, err
	}
	for i := range d.Files {
		if err := c.checkFile(ctx, &d.Files[i], report); err != nil {
			return nil, err
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range d.Files {
		c.files.drop(d.Files[i].Bucket + "/" + d.Files[i].Object)
	}
	c.files.put(o.Bucket+"/"+o.Object, d.sum) // for the next digest
	if last, ok := c.chains.get(d.chain()); !ok || d.End.After(last) {
		c.chains.put(d.chain(), d.End)
	}
	return problems, nil
}

type reporter func(kind Kind, bucket, object, detail string)

// checkPrevious checks that the digest follows one that is there and unchanged, and that ends where it begins.
func (c *Checker) checkPrevious(ctx context.Context, d *Digest, report reporter) error {
	if d.first() {
		c.mu.Lock()
		last, ok := c.chains.get(d.chain())
		c.mu.Unlock()
		if ok && last.Before(d.End) {
			report(Gap, d.Bucket, d.Object, "the trail had digests until "+last.UTC().Format(time.RFC3339)+", but this one says that it is the first: logging was stopped, or digests are lost")
		}
		return nil
	}
	// The content is needed for its end; digests are small.
	content, err := c.read(ctx, d.PreviousBucket, d.PreviousObject)
	if errors.Is(err, fs.ErrNotExist) {
		report(DigestMissing, d.PreviousBucket, d.PreviousObject, "the digest before "+ARN(d.Bucket, d.Object)+" is gone")
		return nil
	}
	if err != nil {
		return err
	}
	if detail := mismatch(sha256.Sum256(content), d.PreviousHash, d.PreviousHashAlgorithm); detail != "" {
		report(DigestChanged, d.PreviousBucket, d.PreviousObject, detail)
		return nil
	}
	previous, err := Parse(content)
	if err != nil {
		report(Unreadable, d.PreviousBucket, d.PreviousObject, err.Error())
		return nil
	}
	if previous.End.Before(d.Start) {
		report(Gap, d.Bucket, d.Object, fmt.Sprintf("no digest covers the time from %s to %s", previous.End.UTC().Format(time.RFC3339), d.Start.UTC().Format(time.RFC3339)))
	}
	return nil
}

// checkFile checks that a log file is what the digest says.
func (c *Checker) checkFile(ctx context.Context, f *File, report reporter) error {
	c.mu.Lock()
	sum, ok := c.files.get(f.Bucket + "/" + f.Object)
	c.mu.Unlock()
	if !ok {
		r, err := c.open(ctx, f.Bucket, f.Object)
		if errors.Is(err, fs.ErrNotExist) {
			report(FileMissing, f.Bucket, f.Object, "the digest lists the log file, but it is gone")
			return nil
		}
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		h.Sum(sum[:0])
	}
	if detail := mismatch(sum, f.Hash, f.HashAlgorithm); detail != "" {
		report(FileChanged, f.Bucket, f.Object, detail)
	}
	return nil
}

// mismatch says how a sum differs from what a digest says, "" when it does not.
func mismatch(sum Sum, want, algorithm string) string {
	if algorithm != hashAlgorithm {
		return fmt.Sprintf("hashed with %.32q, which is not known", algorithm)
	}
	if !strings.EqualFold(sum.String(), want) {
		return fmt.Sprintf("has SHA-256 %s, the digest says %.64s", sum, want)
	}
	return ""
}

// read reads a digest.
func (c *Checker) read(ctx context.Context, bucket, object string) ([]byte, error) {
	r, err := c.open(ctx, bucket, object)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if len(content) > MaxBytes {
		return nil, fmt.Errorf("%s: digest of more than %d bytes", ARN(bucket, object), MaxBytes)
	}
	return content, nil
}

// remembered holds a bounded number of values and forgets the oldest. The zero value is empty.
type remembered[V any] struct {
	values map[string]V
	order  []string // oldest first, with some that were dropped
}

func (r *remembered[V]) get(key string) (V, bool) {
	v, ok := r.values[key]
	return v, ok
}

func (r *remembered[V]) put(key string, v V) {
	if r.values == nil {
		r.values = map[string]V{}
	}
	if _, ok := r.values[key]; !ok {
		r.order = append(r.order, key)
	}
	r.values[key] = v
	for len(r.values) > maxRemembered || len(r.order) > 2*maxRemembered {
		delete(r.values, r.order[0])
		r.order = r.order[1:]
	}
}

func (r *remembered[V]) drop(key string) { delete(r.values, key) }

package cloudstoragereceiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/read/unpack"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

// outcome is what became of an object: one of these, or the bucket.Kind of its error.
type outcome string

const (
	outcomeRead       outcome = "read"
	outcomeDoneBefore outcome = "done_before"
	outcomeSkipped    outcome = "skipped" // another bucket or prefix, a folder, what this collector wrote itself
	outcomeBroken     outcome = "broken"  // the stream cannot be unpacked
	outcomeRefused    outcome = "refused" // by the pipeline, for good
)

// readMode says how an object is to be read.
type readMode struct {
	// keepProgress keeps the progress of an object that is done, since its message names others that are not yet.
	keepProgress bool
	// listedAgain says that the object will be listed again: a record that is torn at the end of a growing object is left for then.
	listedAgain bool
	// stableBefore is the date before which no object grows any more.
	stableBefore time.Time
}

var (
	errSkipped   = errors.New("skipped")
	errDone      = errors.New("done before")
	errDifferent = errors.New("not the content that was begun")
)

// read delivers all records of an object that are not delivered yet, and reports what became of it. torn says that a record
// at its end was left for later. An error with ctx ended says nothing of the object.
func (c *cloudStorage) read(ctx context.Context, o bucket.Object, mode readMode) (torn bool, err error) {
	torn, err = c.deliver(ctx, o, mode)
	if errors.Is(err, errDifferent) { // once: from the beginning there is nothing to differ from
		torn, err = c.deliver(ctx, o, mode)
	}
	if ctx.Err() != nil {
		return torn, err
	}
	what := outcomeOf(err)
	c.countObject(ctx, what)
	switch what {
	case outcomeRead, outcomeDoneBefore, outcomeSkipped:
		c.totals.objects.Add(1)
		err = nil
	default:
		c.totals.failures.Add(1)
		if bucket.KindOf(err) == "" { // those name their object themselves
			err = fmt.Errorf("%s: %s: %w", what, c.bucket.URL(o), err)
		}
	}
	return torn, err
}

func (c *cloudStorage) countObject(ctx context.Context, what outcome) {
	c.telemetry.ReceiverCloudStorageObjects.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", string(what)))))
}

func outcomeOf(err error) outcome {
	var broken *unpack.Error
	var refused *refusedError
	switch {
	case err == nil:
		return outcomeRead
	case errors.Is(err, errSkipped):
		return outcomeSkipped
	case errors.Is(err, errDone):
		return outcomeDoneBefore
	case errors.As(err, &broken):
		return outcomeBroken
	case errors.As(err, &refused):
		return outcomeRefused
	}
	if kind := bucket.KindOf(err); kind != "" {
		return outcome(kind)
	}
	return outcome(bucket.Unavailable)
}

// wanted says whether the configuration asks for an object.
func (c *cloudStorage) wanted(o bucket.Object) bool {
	if name := c.bucket.Name(); o.Bucket != "" && name != "" && o.Bucket != name {
		if _, warned := c.foreign.LoadOrStore(o.Bucket, true); !warned {
			c.set.Logger.Warn("Notifications name another bucket than the configured one; its objects are left out",
				zap.String("bucket", o.Bucket), zap.String("configured", name))
		}
		return false
	}
	return strings.HasPrefix(o.Key, c.cfg.prefix()) && !o.IsFolder() && !c.cfg.mayHaveWritten(o)
}

// deliver reads an object from where its progress is.
func (c *cloudStorage) deliver(ctx context.Context, o bucket.Object, mode readMode) (torn bool, err error) {
	if !c.wanted(o) {
		return false, errSkipped
	}
	id := objectID(c.bucket, o)
	p, known := c.state.get(id)
	if known && p.Done && p.ETag == o.ETag && o.ETag != "" {
		return false, errDone
	}
	if o.Archived {
		return false, &bucket.Error{Kind: bucket.Archived, Hint: "restore the object", Err: errors.New(c.bucket.URL(o))}
	}
	if p.Offset > 0 && p.Created != created(o) {
		p = progress{} // another object of the same name
	}
	if p.Offset > 0 && o.Size == p.Offset {
		return false, errDone
	}
	raw, err := bucket.NewReader(ctx, c.bucket, o, p.Offset, c.cfg.ReadTimeout)
	if err != nil {
		if bucket.KindOf(err) == bucket.Changed && known { // it has become shorter
			c.state.forget(id)
			return false, errDifferent
		}
		return false, err
	}
	defer raw.Close()
	if known && p.Done && p.ETag != "" && p.ETag == raw.Object().ETag { // CloudTrail's notifications have no ETag to tell by
		return false, errDone
	}
	r := &objectReader{c: c, id: id, mode: mode, raw: raw, object: raw.Object(), base: p.Offset, begun: p}
	return r.read(ctx)
}

func created(o bucket.Object) int64 {
	if o.Created.IsZero() {
		return 0
	}
	return o.Created.Unix()
}

// objectReader delivers the records of one object.
type objectReader struct {
	c      *cloudStorage
	id     string
	mode   readMode
	raw    *bucket.Reader
	object bucket.Object // as the store says
	base   int64         // where raw begins
	begun  progress      // of an earlier try

	digestInput *digestInput // nil for most

	batch  batch
	sum    xxhash.Digest // of all texts from the beginning
	cut    int           // records from the beginning, or from base
	end    int64         // behind the last record, where the object can be read on there
	fields string
	inside bool // a record was an element of something: there is no reading on behind it
	torn   bool
	packed bool
}

func (r *objectReader) read(ctx context.Context) (torn bool, err error) {
	defer func() { r.countStored(ctx) }()
	plain, err := unpack.NewReader(r.raw, r.c.cfg.unpackLimit())
	if err != nil {
		return false, err
	}
	defer plain.Close()
	r.packed = plain.Packed
	r.sum.Reset()
	r.end = r.base
	format := r.c.cfg.formatOf(r.object.Key)
	r.batch = batch{c: r.c, format: format, address: r.c.bucket.URL(r.object), received: r.c.state.now()}
	if r.base == 0 {
		r.digestInput = r.c.newDigestInput(r.object)
	}
	counted := &counter{r: r.digestInput.tee(plain)}
	err = payload.Cut(counted, payload.Options{Format: format, Fields: r.begun.Fields, ScanEnds: true}, func(item payload.Item) error {
		return r.add(ctx, item)
	})
	r.c.telemetry.ReceiverCloudStorageBytesUnpacked.Add(ctx, counted.n)
	// What was cut whole before the object broke off goes on: it may never be whole.
	if flushErr := r.flush(ctx); flushErr != nil {
		return false, flushErr
	}
	var broken *unpack.Error
	switch {
	case err == nil && r.base == 0 && r.cut < r.begun.Records:
		err = errDifferent
	case errors.As(err, &broken) && r.packed && r.mayGrow(): // the end of the stream is yet to come
		r.torn, err = true, nil
	}
	if err != nil {
		if errors.Is(err, errDifferent) {
			r.c.state.forget(r.id)
		}
		return false, err
	}
	if err := r.checkDigest(ctx); err != nil {
		return false, err
	}
	r.finish(ctx)
	return r.torn, nil
}

// add takes a record, or passes over it where it was delivered before.
func (r *objectReader) add(ctx context.Context, item payload.Item) error {
	if item.Open && r.mayGrow() {
		r.torn = true
		return nil
	}
	if item.ScanEnd {
		return r.addScanEnd(ctx, item)
	}
	r.cut++
	_, _ = r.sum.WriteString(item.Raw)
	_, _ = r.sum.WriteString("\n")
	r.inside = r.inside || item.Inside
	if r.base == 0 && r.cut <= r.begun.Records {
		if r.cut == r.begun.Records && r.sum.Sum64() != r.begun.Sum {
			return errDifferent
		}
		r.end, r.fields = item.End, item.Fields
		return nil
	}
	item.Offset += r.base
	r.batch.add(item)
	r.end, r.fields = r.base+item.End, item.Fields
	if r.batch.full() {
		return r.flush(ctx)
	}
	return nil
}

// addScanEnd adds the event that a scan envelope has ended. It is left out when a record behind it was delivered before, and when
// the envelope only breaks off because the object is still being appended to. The event may come twice, which does no harm.
func (r *objectReader) addScanEnd(ctx context.Context, item payload.Item) error {
	if r.base == 0 && r.cut < r.begun.Records || item.ScanStatus == payload.Incomplete && r.mayGrow() {
		return nil
	}
	r.batch.add(item)
	if r.batch.full() { // there may be nothing but ends
		return r.flush(ctx)
	}
	return nil
}

// mayGrow says that more may be appended, and that the object will be looked at again then.
func (r *objectReader) mayGrow() bool {
	return r.object.Grows && r.mode.listedAgain && r.object.Modified.After(r.mode.stableBefore)
}

// flush delivers the batch and remembers how far that is.
func (r *objectReader) flush(ctx context.Context) error {
	if len(r.batch.items) == 0 {
		return nil
	}
	if err := r.batch.deliver(ctx); err != nil {
		return err
	}
	r.c.state.set(r.id, r.progress())
	return nil
}

// progress is how far the object is delivered.
func (r *objectReader) progress() progress {
	p := progress{ETag: r.object.ETag, Created: created(r.object)}
	if r.object.Grows && !r.packed && !r.inside {
		p.Offset, p.Fields = r.end, r.fields
	} else {
		p.Records, p.Sum = r.cut, r.sum.Sum64()
	}
	return p
}

// finish ends an object of which every record is delivered. What may change or has to be known later is kept.
func (r *objectReader) finish(ctx context.Context) {
	// Azure's services also write block blobs anew, longer each time.
	if r.mode.keepProgress || r.mode.listedAgain && (r.object.Grows || r.c.cfg.AzureBlob.HasValue()) {
		p := r.progress()
		p.Done = !r.torn
		r.c.state.set(r.id, p)
	} else {
		r.c.state.forget(r.id)
	}
	now := r.c.state.now()
	r.c.lastRead.Store(now.Unix())
	if !r.object.Modified.IsZero() {
		lag := max(now.Sub(r.object.Modified), 0)
		r.c.telemetry.ReceiverCloudStorageLag.Record(ctx, lag.Seconds())
		r.c.totals.lag.Store(int64(lag))
	}
}

// countStored counts the bytes that were read of the store.
func (r *objectReader) countStored(ctx context.Context) {
	stored := r.raw.Offset() - r.base
	r.c.telemetry.ReceiverCloudStorageBytes.Add(ctx, stored)
	r.c.totals.bytes.Add(stored)
}

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

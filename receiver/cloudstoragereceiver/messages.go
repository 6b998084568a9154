package cloudstoragereceiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/backoff"
	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/metadata"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/notice"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/queue"
)

// kindUnknown is a message that is no notification.
const kindUnknown notice.Kind = "unknown"

// Verdicts on messages.
const (
	verdictDeleted = "deleted"
	verdictRetried = "retried"
	verdictGivenUp = "given_up"
)

// readableFor is how long a read object proves that the store lets us in: a refusal meanwhile is about the object.
const readableFor = 10 * time.Minute

// handle works on a message: all its objects, each until the pipeline has it.
func (c *cloudStorage) handle(ctx context.Context, m queue.Message) queue.Verdict {
	n, err := notice.Parse(m.Body, m.Attributes)
	if err != nil {
		return c.failed(ctx, m, kindUnknown, []error{&noticeError{err}})
	}
	if n.Kind != notice.Objects {
		c.countMessage(ctx, n.Kind, verdictDeleted)
		return queue.Verdict{Delete: true}
	}
	var failures []error
	ids := make([]string, 0, len(n.Objects))
	for _, o := range n.Objects {
		ids = append(ids, objectID(c.bucket, o))
		err := c.readPatiently(ctx, o, readMode{keepProgress: len(n.Objects) > 1})
		if ctx.Err() != nil {
			return queue.Verdict{} // somebody else goes on, or we later
		}
		if err != nil {
			failures = append(failures, err)
		}
	}
	if len(failures) > 0 {
		return c.failed(ctx, m, n.Kind, failures)
	}
	c.status.works()
	c.state.forget(ids...)
	c.state.forgetTries(m.ID)
	c.countMessage(ctx, n.Kind, verdictDeleted)
	return queue.Verdict{Delete: true}
}

// The waits while the store is away, with the message on lease: a short outage is not counted as a try by the queue, whose
// dead-letter policy would else take good messages away. A longer one gives the slot to others.
const (
	firstAwayDelay = time.Second
	maxAwayDelay   = 30 * time.Second
	maxAway        = 5 * time.Minute
)

// readPatiently reads an object, and waits where the store is away.
func (c *cloudStorage) readPatiently(ctx context.Context, o bucket.Object, mode readMode) error {
	began := time.Now()
	failures := backoff.Backoff{First: firstAwayDelay, Max: maxAwayDelay}
	for {
		_, err := c.read(ctx, o, mode)
		if outcomeOf(err) != outcome(bucket.Unavailable) || time.Since(began) > maxAway {
			return err
		}
		delay := failures.Next()
		c.status.failed(err)
		c.set.Logger.Warn("Object not read; the store is asked again", zap.Error(err), zap.Duration("in", delay))
		if err := backoff.Sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// noticeError is a message that is no notification.
type noticeError struct{ err error }

func (e *noticeError) Error() string { return "message: " + e.err.Error() }
func (e *noticeError) Unwrap() error { return e.err }

// failed decides about a message that cannot be finished now.
func (c *cloudStorage) failed(ctx context.Context, m queue.Message, kind notice.Kind, failures []error) queue.Verdict {
	tries := m.Tries
	if tries == 0 {
		tries = c.state.try(m.ID)
	}
	err := errors.Join(failures...)
	fields := []zap.Field{zap.String("queue", c.queue.Name()), zap.String("message", m.ID), zap.Int("tries", tries), zap.Error(err)}
	aboutObjects := !slices.ContainsFunc(failures, func(err error) bool { return !c.concernsOneObject(err) })
	if aboutObjects && c.cfg.MaxTries > 0 && tries >= c.cfg.MaxTries {
		if refused := c.giveUp(ctx, string(m.Body), fmt.Errorf("given up after %d tries: %w", tries, err)); refused == nil {
			c.set.Logger.Error("Message given up; it went on as an invalid record", fields...)
			c.state.forgetTries(m.ID)
			c.countMessage(ctx, kind, verdictGivenUp)
			return queue.Verdict{Delete: true}
		}
	}
	delay := c.retryDelay(tries)
	c.set.Logger.Warn("Message not finished; it comes again", append(fields, zap.Duration("in", delay))...)
	if !aboutObjects {
		c.status.failed(err)
	}
	c.countMessage(ctx, kind, verdictRetried)
	return queue.Verdict{Delay: delay}
}

// concernsOneObject reports whether an error is about one object, and not about all of them: only then are tries worth counting.
func (c *cloudStorage) concernsOneObject(err error) bool {
	var notice *noticeError
	if errors.As(err, &notice) {
		return true
	}
	switch outcomeOf(err) {
	case outcome(bucket.Unavailable):
		return false
	case outcome(bucket.Forbidden), outcome(bucket.Misconfigured):
		return c.state.now().Unix()-c.lastRead.Load() < int64(readableFor/time.Second)
	}
	return true
}

// retryDelay doubles with each try.
func (c *cloudStorage) retryDelay(tries int) time.Duration {
	delay := c.cfg.RetryDelay
	for range min(max(tries, 1)-1, 20) {
		delay = min(2*delay, maxRetryDelay)
	}
	return delay
}

// giveUp passes on one invalid record that holds what cannot be read, and why.
func (c *cloudStorage) giveUp(ctx context.Context, raw string, reason error) error {
	rec := format.NewInvalid(raw, c.cfg.Format, reason.Error(), c.state.now())
	err := c.offer(ctx, 1, func(ctx context.Context) error {
		logs := plog.NewLogs()
		scope := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
		scope.Scope().SetName(metadata.ScopeName)
		logrecord.Write(&rec, scope.LogRecords().AppendEmpty())
		return c.next.ConsumeLogs(ctx, logs)
	})
	if err == nil {
		c.telemetry.ReceiverCloudStorageObjectsGivenUp.Add(ctx, 1)
		c.telemetry.ReceiverCloudStorageRecordsInvalid.Add(ctx, 1)
	}
	return err
}

func (c *cloudStorage) countMessage(ctx context.Context, kind notice.Kind, verdict string) {
	c.telemetry.ReceiverCloudStorageMessages.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("kind", string(kind)), attribute.String("verdict", verdict))))
}

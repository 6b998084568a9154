package cloudstoragereceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/meter"
	collectorstorage "github.com/siempipe/siempipe/internal/collector/storage"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/digest"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/metadata"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/queue"
)

// transport is the transport that the receiver's own observations name.
const transport = "http"

// cloudStorage is the receiver: an object store and a queue, or a listing, in front of the next consumer.
type cloudStorage struct {
	cfg       *Config
	set       receiver.Settings
	next      consumer.Logs
	obs       *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder

	bucket   bucket.Bucket
	checker  *digest.Checker // nil: digests are not checked
	queue    queue.Queue     // nil: listing
	state    *state
	storage  storage.Client
	totals   totals
	lastRead atomic.Int64 // Unix time of the last object that was read to its end
	status   status
	foreign  sync.Map // names of other buckets that notifications named

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

func newCloudStorage(set receiver.Settings, cfg *Config, next consumer.Logs) (*cloudStorage, error) {
	telemetry, err := metadata.NewTelemetryBuilder(meter.Labeled(set.TelemetrySettings, component.KindReceiver, set.ID))
	if err != nil {
		return nil, err
	}
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: transport, ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	return &cloudStorage{cfg: cfg, set: set, next: next, obs: obs, telemetry: telemetry}, nil
}

// Start reads the checkpoints and begins. It does not wait for the cloud.
func (c *cloudStorage) Start(ctx context.Context, host component.Host) (err error) {
	if err := c.cfg.refuseLoop(); err != nil {
		return err
	}
	c.status.host = host
	if c.cfg.Storage != nil {
		if c.storage, err = collectorstorage.Open(ctx, host, *c.cfg.Storage, component.KindReceiver, c.set.ID, ""); err != nil {
			return fmt.Errorf("storage: %w", err)
		}
	}
	c.state = newState(c.storage)
	if err := c.state.load(ctx); err != nil {
		return err
	}
	if c.bucket, err = c.cfg.newBucket(ctx); err != nil {
		return err
	}
	if c.queue, err = c.cfg.newQueue(ctx); err != nil {
		return err
	}
	if c.checker, err = c.newChecker(); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.stopped.Go(func() { c.state.run(running, c.storageFailed) })
	c.stopped.Go(func() { c.reportProgress(running) })
	if c.queue != nil {
		c.stopped.Go(func() { c.queue.Receive(running, c.cfg.Concurrency, c.handle, c.received) })
		return nil
	}
	poll := c.cfg.Poll
	p := &poller{c: c, cfg: *poll.GetOrInsertDefault()}
	scope := c.bucket.URL(bucket.Object{Key: c.cfg.prefix()})
	if c.state.adopt(scope, p.cfg.StartTime) {
		c.set.Logger.Info("The checkpoint is of another listing; this one begins anew", zap.String("scope", scope))
	}
	c.stopped.Go(func() { p.run(running) })
	return nil
}

// received hears how receiving from the queue goes.
func (c *cloudStorage) received(err error) {
	if err == nil {
		c.status.works()
		return
	}
	c.status.failed(err)
	c.set.Logger.Warn("Queue not reached; it is asked again", zap.String("queue", c.queue.Name()), zap.Error(err))
}

func (c *cloudStorage) storageFailed(err error) {
	c.status.failed(err)
	c.set.Logger.Error("Checkpoint not written; it is written again", zap.Error(err))
}

// Shutdown stops reading where it is, gives messages back and writes the checkpoints.
func (c *cloudStorage) Shutdown(ctx context.Context) error {
	defer c.telemetry.Shutdown()
	if c.stop != nil {
		c.stop()
		c.stopped.Wait()
	}
	var errs []error
	if c.state != nil {
		errs = append(errs, c.state.flush(ctx))
	}
	if c.queue != nil {
		errs = append(errs, c.queue.Close())
	}
	if c.bucket != nil {
		errs = append(errs, c.bucket.Close())
	}
	if c.storage != nil {
		errs = append(errs, c.storage.Close(ctx))
	}
	return errors.Join(errs...)
}

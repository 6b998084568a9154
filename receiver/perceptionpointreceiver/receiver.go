package perceptionpointreceiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/meter"
	collectorstorage "github.com/siempipe/siempipe/internal/collector/storage"
	"github.com/siempipe/siempipe/receiver/perceptionpointreceiver/internal/metadata"
)

// Formats of the records, as the siem processor knows them.
const (
	formatScan  = "perception_point"
	formatAudit = "perception_point_audit"
)

// perceptionPoint is the receiver: one stream for each list of the API.
type perceptionPoint struct {
	cfg       *Config
	set       receiver.Settings
	deliverer *deliverer
	builder   *metadata.TelemetryBuilder

	http    *http.Client
	streams []*stream
	cancel  context.CancelFunc // of requests and waits
	abort   context.CancelFunc // of what the pipeline is about to take
	stopped sync.WaitGroup
}

func newPerceptionPoint(set receiver.Settings, cfg *Config, next consumer.Logs) (*perceptionPoint, error) {
	builder, err := metadata.NewTelemetryBuilder(meter.Labeled(set.TelemetrySettings, component.KindReceiver, set.ID))
	if err != nil {
		return nil, err
	}
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "http", LongLivedCtx: true, ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	return &perceptionPoint{cfg: cfg, set: set, builder: builder, deliverer: &deliverer{next: next, obs: obs}}, nil
}

// Start reads where each stream was and begins to pull. It does not wait for the API.
func (p *perceptionPoint) Start(ctx context.Context, host component.Host) error {
	base, err := p.cfg.base()
	if err != nil {
		return err
	}
	query, err := p.cfg.query()
	if err != nil {
		return err
	}
	httpClient, err := p.cfg.ToClient(ctx, host.GetExtensions(), p.set.TelemetrySettings)
	if err != nil {
		return err
	}
	token := tokenSource{fixed: p.cfg.Token, file: p.cfg.TokenFile}
	if _, err := token.get(); err != nil { // a file may come later, but a wrong path should be seen at once
		p.set.Logger.Warn("No token yet", zap.Error(err))
	}
	p.http = httpClient
	c := newClient(httpClient, base, token, p.cfg.MaxPageBytes)
	if p.cfg.Storage == nil {
		p.set.Logger.Warn("No storage is configured: each start begins anew, at initial_lookback (or start_time), and scans that came out before come out again",
			zap.Duration("initial_lookback", p.cfg.InitialLookback))
	}
	h, clock, m := newHealth(host), newClock(), newMetrics(p.builder)
	for _, list := range []struct {
		name, format string
		cfg          StreamConfig
	}{{"scans", formatScan, p.cfg.Scans}, {"audit_events", formatAudit, p.cfg.AuditEvents}} {
		if !list.cfg.Enabled {
			continue
		}
		store, err := p.storage(ctx, host, list.name)
		if err != nil {
			return errors.Join(err, p.close(ctx))
		}
		s := &stream{
			name: list.name, path: list.cfg.Path, format: list.format, cfg: p.cfg, client: c, clock: clock, health: h,
			logger: p.set.Logger.With(zap.String("stream", list.name)), metrics: m, deliverer: p.deliverer, store: store,
			memory: newMemory(bucketWidth(p.cfg.Overlap), p.cfg.MaxTrackedScans), fingerprinter: newFingerprinter(p.cfg.IgnoreChanges),
			failures: p.cfg.Retry.backoff(), refusedWait: refusedWait,
		}
		if list.name == "scans" { // the filters are those of scans
			s.query = query
		}
		p.streams = append(p.streams, s)
		if err := s.load(ctx); err != nil {
			return errors.Join(err, p.close(ctx))
		}
		s.progress = newProgress(s)
	}
	p.deliverer.ctx, p.abort = context.WithCancel(context.Background())
	run, cancel := context.WithCancel(p.deliverer.ctx)
	p.cancel = cancel
	for _, s := range p.streams {
		p.stopped.Go(func() { s.run(run) })
	}
	return nil
}

// bucketWidth divides the overlap into eight buckets between a minute and an hour, in seconds.
func bucketWidth(overlap time.Duration) int64 {
	return int64(min(max(overlap/8, time.Minute), time.Hour) / time.Second)
}

func (p *perceptionPoint) storage(ctx context.Context, host component.Host, name string) (checkpoint, error) {
	if p.cfg.Storage == nil {
		return checkpoint{}, nil
	}
	client, err := collectorstorage.Open(ctx, host, *p.cfg.Storage, component.KindReceiver, p.set.ID, name)
	if err != nil {
		return checkpoint{}, fmt.Errorf("storage: %w", err)
	}
	return checkpoint{client: client}, nil
}

// shutdownGrace is how long a page may take that the pipeline has in its hands when the receiver stops.
const shutdownGrace = 10 * time.Second

// Shutdown ends the requests under way. A page that the pipeline does not take within shutdownGrace comes again after the
// next start.
func (p *perceptionPoint) Shutdown(ctx context.Context) error {
	if p.cancel != nil {
		p.cancel()
		grace, cancel := context.WithTimeout(ctx, shutdownGrace)
		stop := context.AfterFunc(grace, p.abort)
		p.stopped.Wait()
		stop()
		cancel()
		p.abort()
		p.http.CloseIdleConnections()
	}
	err := p.close(ctx)
	p.builder.Shutdown()
	return err
}

func (p *perceptionPoint) close(ctx context.Context) error {
	var errs []error
	for _, s := range p.streams {
		errs = append(errs, s.store.close(ctx))
	}
	p.streams = nil
	return errors.Join(errs...)
}

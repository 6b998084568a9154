package pipesyslogexporter

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/exporter/pipesyslogexporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/collector/meter"
	"github.com/siempipe/siempipe/internal/deliver/certs"
	"github.com/siempipe/siempipe/internal/deliver/syslog"
)

// pipeSyslog is the exporter: queue and retry of exporterbase around send.
type pipeSyslog struct {
	exporter.Logs

	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder

	senders []*syslog.Sender
	idle    chan *syslog.Sender // senders that no push has
	aborted chan struct{}       // closed when shutdown has waited long enough
	once    sync.Once           // closes aborted
}

func newPipeSyslog(set exporter.Settings, c *Config) (*pipeSyslog, error) {
	telemetry, err := metadata.NewTelemetryBuilder(meter.Labeled(set.TelemetrySettings, component.KindExporter, set.ID))
	if err != nil {
		return nil, err
	}
	return &pipeSyslog{config: c, logger: set.Logger, telemetry: telemetry, aborted: make(chan struct{})}, nil
}

// start makes the senders, one for each consumer of the queue. It reads certificates but does not connect: a SIEM that is
// down must not keep the collector from starting.
func (e *pipeSyslog) start(ctx context.Context, _ component.Host) error {
	headerConfig, err := e.config.header()
	if err != nil {
		return err
	}
	header, err := syslog.NewHeader(headerConfig)
	if err != nil {
		return err
	}
	writer := e.config.writer()
	writer.OnConnect = func(endpoint string, again bool) {
		if again {
			e.telemetry.ExporterPipeSyslogReconnects.Add(context.Background(), 1)
			e.logger.Info("Connected again.", zap.String("endpoint", endpoint))
		}
	}
	writer.OnRepeat = func(messages int) {
		e.telemetry.ExporterPipeSyslogMessagesRepeated.Add(context.Background(), int64(messages))
	}
	writer.OnUnconfirmed = e.unconfirmed
	if e.config.Network == syslog.TCP && !e.config.TLS.Insecure {
		reloader, err := certs.NewReloader(ctx, e.config.TLS.ReloadInterval, e.config.TLS.LoadTLSConfig)
		if err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		writer.TLS = func(ctx context.Context) (*tls.Config, error) {
			config, err := reloader.Config(ctx)
			if failed := reloader.Failure(); failed != nil {
				e.logger.Warn("Certificates cannot be loaded again; the last good ones stay in use.", zap.Error(failed))
			}
			return config, err
		}
	}
	n := defaultConsumers
	if e.config.QueueConfig.HasValue() {
		n = e.config.QueueConfig.Get().NumConsumers
	}
	e.idle = make(chan *syslog.Sender, n)
	for range n {
		s, err := newSender(e.config, header, writer)
		if err != nil {
			return err
		}
		e.senders = append(e.senders, s)
		e.idle <- s
	}
	return nil
}

// send sends the records of a part. Those that were sent, or can never be, leave the part.
func (e *pipeSyslog) send(ctx context.Context, p *part) error {
	s, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { e.idle <- s }()

	done := make([]bool, len(p.Items))
	n := syslog.Counts{}
	err = s.Send(ctx, records(p.Items), done, &n)
	report(ctx, e.telemetry, &n)
	if n.FirstDrop != nil {
		e.logger.Warn("Records were not sent.", zap.Int64("too_long", n.TooLong), zap.Int64("not_json", n.NotJSON), zap.Int64("empty", n.Empty), zap.NamedError("first", n.FirstDrop))
	}
	if err != nil {
		p.RemoveDone(done)
	}
	return err
}

var errShutdown = errors.New("pipe_syslog is shutting down")

func (e *pipeSyslog) acquire(ctx context.Context) (*syslog.Sender, error) {
	select {
	case <-e.aborted:
		return nil, errShutdown
	default:
	}
	select {
	case s := <-e.idle:
		return s, nil
	case <-e.aborted:
		return nil, errShutdown
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a connection: %w", context.Cause(ctx))
	}
}

// Shutdown lets the queue send what it holds for as long as timeout, then breaks connections off: a peer that does not read
// cannot hold the collector. What is left stays in the queue's storage when it has one, and is reported as lost otherwise.
func (e *pipeSyslog) Shutdown(ctx context.Context) error {
	t := time.AfterFunc(e.config.Timeout, e.abort)
	defer t.Stop()
	return e.Logs.Shutdown(ctx)
}

func (e *pipeSyslog) abort() {
	e.once.Do(func() { close(e.aborted) })
	e.closeAll()
}

func (e *pipeSyslog) closeAll() {
	var wait sync.WaitGroup
	for _, s := range e.senders {
		wait.Go(func() { _ = s.Close() })
	}
	wait.Wait()
}

// finishWait bounds how long the shutdown waits for peers to read what their systems took. Most end the connection as soon
// as we do.
const finishWait = 2 * time.Second

// shutdown runs when the queue is empty.
func (e *pipeSyslog) shutdown(context.Context) error {
	ctx, cancel := context.WithTimeout(context.Background(), min(finishWait, e.config.Timeout))
	defer cancel()
	var left atomic.Int64
	var wait sync.WaitGroup
	for _, s := range e.senders {
		wait.Go(func() { left.Add(int64(s.Finish(ctx))) })
	}
	wait.Wait()
	if n := int(left.Load()); n > 0 {
		e.unconfirmed(n)
	}
	e.closeAll()
	e.telemetry.Shutdown()
	return nil
}

// unconfirmed tells of messages that may be lost at the peer.
func (e *pipeSyslog) unconfirmed(messages int) {
	e.telemetry.ExporterPipeSyslogMessagesUnconfirmed.Add(context.Background(), int64(messages))
	e.logger.Warn("The peer's system took messages that the peer has not shown to have read; they are not sent again.", zap.Int("messages", messages))
}

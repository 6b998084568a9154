package pipesyslogexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/exporter/pipesyslogexporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/collector/meter"
	"github.com/siempipe/siempipe/internal/deliver/syslog"
)

// pipeSyslog is the exporter: exporterhelper's queue and retry around push.
type pipeSyslog struct {
	exporter.Logs

	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	host      component.Host
	failing   atomic.Bool

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
func (e *pipeSyslog) start(ctx context.Context, host component.Host) error {
	e.host = host
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
		certs, err := newCertificates(ctx, e.config.TLS, e.logger)
		if err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		writer.TLS = certs.load
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

// push sends the records of ld. What was sent before a failure is not sent again: the error holds the rest.
func (e *pipeSyslog) push(ctx context.Context, ld plog.Logs) error {
	s, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { e.idle <- s }()

	records, done := flatten(ld), make([]bool, ld.LogRecordCount())
	n := syslog.Counts{}
	err = s.Send(ctx, records, done, &n)
	report(ctx, e.telemetry, &n)
	if n.FirstDrop != nil {
		e.logger.Warn("Records were not sent.", zap.Int64("too_long", n.TooLong), zap.Int64("not_json", n.NotJSON), zap.Int64("empty", n.Empty), zap.NamedError("first", n.FirstDrop))
	}
	e.reportStatus(err)
	if err == nil {
		return nil
	}
	return consumererror.NewLogs(err, unsent(ld, done))
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

// reportStatus tells health checks when the peer goes away and when it is back.
func (e *pipeSyslog) reportStatus(err error) {
	if err != nil && !e.failing.Swap(true) {
		componentstatus.ReportStatus(e.host, componentstatus.NewRecoverableErrorEvent(err))
	} else if err == nil && e.failing.Swap(false) {
		componentstatus.ReportStatus(e.host, componentstatus.NewEvent(componentstatus.StatusOK))
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

// flatten returns the records of ld in order.
func flatten(ld plog.Logs) batch {
	records := make(batch, 0, ld.LogRecordCount())
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				records = append(records, lr)
			}
		}
	}
	return records
}

// unsent copies the records that are not done, under their resources and scopes.
func unsent(ld plog.Logs, done []bool) plog.Logs {
	rest, i := plog.NewLogs(), 0
	for _, rl := range ld.ResourceLogs().All() {
		var toResource plog.ResourceLogs
		hasResource := false
		for _, sl := range rl.ScopeLogs().All() {
			var toScope plog.ScopeLogs
			hasScope := false
			for _, lr := range sl.LogRecords().All() {
				i++
				if done[i-1] {
					continue
				}
				if !hasResource {
					toResource, hasResource = rest.ResourceLogs().AppendEmpty(), true
					rl.Resource().CopyTo(toResource.Resource())
					toResource.SetSchemaUrl(rl.SchemaUrl())
				}
				if !hasScope {
					toScope, hasScope = toResource.ScopeLogs().AppendEmpty(), true
					sl.Scope().CopyTo(toScope.Scope())
					toScope.SetSchemaUrl(sl.SchemaUrl())
				}
				lr.CopyTo(toScope.LogRecords().AppendEmpty())
			}
		}
	}
	return rest
}

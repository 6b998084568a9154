package findingsreceiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"

	"github.com/siempipe/siempipe/internal/collector/meter"
	"github.com/siempipe/siempipe/receiver/findingsreceiver/internal/metadata"
)

// shutdownGrace is how long senders may take to finish what they are sending. After it they are cut off and what waits
// for room in the pipeline is refused: without an answer of 200 they send again.
const shutdownGrace = 5 * time.Second

// transport is the transport that the receiver's own observations name.
const transport = "http"

// findings is the receiver: an HTTP server in front of the next consumer.
type findings struct {
	cfg       *Config
	set       receiver.Settings
	next      consumer.Logs
	obs       *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder

	server  *http.Server
	stopped sync.WaitGroup // the server and its handlers
	slots   chan struct{}  // one for each request that is being read

	stopping context.Context // ends when the pipeline must no longer be waited for
	stop     context.CancelFunc
}

func newFindings(set receiver.Settings, cfg *Config, next consumer.Logs) (*findings, error) {
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
	f := &findings{cfg: cfg, set: set, next: next, obs: obs, telemetry: telemetry, slots: make(chan struct{}, cfg.MaxConcurrentRequests)}
	f.stopping, f.stop = context.WithCancel(context.Background())
	return f, nil
}

// Start listens and serves.
func (f *findings) Start(ctx context.Context, host component.Host) error {
	// The server would decompress before our handler sees the body, and a signature is over the body as it was sent.
	server := f.cfg.ServerConfig
	server.CompressionAlgorithms = []string{}
	var err error
	if f.server, err = server.ToServer(ctx, host.GetExtensions(), f.set.TelemetrySettings, f.routes()); err != nil {
		return err
	}
	f.server.Handler = hideEncoding(f.server.Handler)
	listener, err := server.ToListener(ctx)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", f.cfg.NetAddr.Endpoint, err)
	}
	f.stopped.Go(func() {
		if err := f.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
		}
	})
	return nil
}

// Shutdown takes no new requests and waits for the answers of those under way, for shutdownGrace or as long as ctx lasts.
// When it returns the next consumer is left alone.
func (f *findings) Shutdown(ctx context.Context) error {
	defer f.telemetry.Shutdown()
	defer f.stop()
	if f.server == nil {
		return nil
	}
	grace, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	err := f.server.Shutdown(grace)
	if err != nil {
		f.set.Logger.Warn("Requests under way are cut off; their senders must send again")
		f.stop()
		err = f.server.Close()
	}
	f.stopped.Wait()
	return err
}

package pipesyslogexporter

import (
	"io"
	"net"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/siempipe/siempipe/exporter/pipesyslogexporter/internal/metadata"
)

// BenchmarkPush sends batches of 1000 to a peer that reads.
func BenchmarkPush(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, c)
		}
	}()
	e, err := NewFactory().CreateLogs(b.Context(), exportertest.NewNopSettings(metadata.Type), plain(l.Addr().String()))
	if err != nil {
		b.Fatal(err)
	}
	if err := e.Start(b.Context(), componenttest.NewNopHost()); err != nil {
		b.Fatal(err)
	}
	defer e.Shutdown(b.Context())
	ld := scans(0, 1000, "hello")
	b.ReportAllocs()
	for b.Loop() {
		if err := e.ConsumeLogs(b.Context(), ld); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "records/s")
}

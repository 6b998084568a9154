package pipesyslogexporter

import (
	"io"
	"net"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/siempipe/siempipe/exporter/pipesyslogexporter/internal/metadata"
	"github.com/siempipe/siempipe/internal/pipe"
	"github.com/siempipe/siempipe/internal/syslog"
)

// BenchmarkEncode makes messages, without writing them.
func BenchmarkEncode(b *testing.B) {
	c := plain("127.0.0.1:1")
	h, err := c.header()
	if err != nil {
		b.Fatal(err)
	}
	header, err := syslog.NewHeader(h)
	if err != nil {
		b.Fatal(err)
	}
	for name, subject := range map[string]string{"whole": "hello", "shortened": strings.Repeat("free text ", 150)} {
		b.Run(name, func(b *testing.B) {
			s, err := newSender(c, header, c.writer())
			if err != nil {
				b.Fatal(err)
			}
			lr := flatten(scans(0, 1, subject))[0]
			if err := s.encode(lr, 0, s.encoder, s.maxLength); err != nil || !strings.HasSuffix(string(s.out), "|Action:Quarantined") || (s.window[0].result == pipe.Shortened) != (name == "shortened") {
				b.Fatalf("%v: %q", err, s.out)
			}
			b.SetBytes(int64(len(s.out)))
			b.ReportAllocs()
			for b.Loop() {
				s.reset()
				if err := s.encode(lr, 0, s.encoder, s.maxLength); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

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

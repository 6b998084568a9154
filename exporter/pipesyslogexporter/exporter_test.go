package pipesyslogexporter

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/siempipe/siempipe/exporter/pipesyslogexporter/internal/metadata"
	"github.com/siempipe/siempipe/exporter/pipesyslogexporter/internal/metadatatest"
	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/encode/pipe"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/peers"
)

var scanTime = time.Unix(1612422455, 630_000_000).UTC()

// scan is an e-mail scan with an id and a subject.
func scan(id, subject string) record.Record {
	body, err := json.Marshal(map[string]string{
		"datetime": "1612422455.63", "Scan ID": id, "Event": "Email Scanned", "IP Address": "192.0.2.1", "Subject": subject,
		"Message ID": "m1", "To": "a@example.com", "From": "b@example.net", "Verdict": "MAL", "Action": "Quarantined",
	})
	if err != nil {
		panic(err)
	}
	return record.Record{Body: string(body), Time: scanTime, EventType: record.EmailScan, Format: "perception_point", ID: id, Severity: record.SeverityHigh}
}

func scans(from, n int, subject string) plog.Logs {
	records := make([]record.Record, n)
	for i := range records {
		records[i] = scan(fmt.Sprintf("id-%d", from+i), subject)
	}
	return logs(records...)
}

func logs(records ...record.Record) plog.Logs {
	ld := plog.NewLogs()
	sl := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	for i := range records {
		logrecord.Write(&records[i], sl.LogRecords().AppendEmpty())
	}
	return ld
}

// plain is a configuration without TLS, queue and retry: ConsumeLogs returns what push returns.
func plain(endpoint string) *Config {
	c := createDefaultConfig().(*Config)
	c.Endpoint = endpoint
	c.TLS.Insecure = true
	c.RetryConfig.Enabled = false
	c.Timeout = patience
	c.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
	c.Hostname = "collector-1"
	return c
}

// queued is a configuration without TLS that tries again soon.
func queued(endpoint string) *Config {
	c := createDefaultConfig().(*Config)
	c.Endpoint = endpoint
	c.TLS.Insecure = true
	c.RetryConfig.InitialInterval = 20 * time.Millisecond
	c.RetryConfig.MaxInterval = 100 * time.Millisecond
	return c
}

func start(t *testing.T, c *Config) exporter.Logs {
	t.Helper()
	return startWith(t, c, exportertest.NewNopSettings(metadata.Type))
}

func startWith(t *testing.T, c *Config, set exporter.Settings) exporter.Logs {
	t.Helper()
	require.NoError(t, confmap.Validate(c))
	e, err := NewFactory().CreateLogs(context.Background(), set, c)
	require.NoError(t, err)
	require.NoError(t, e.Start(context.Background(), componenttest.NewNopHost()))
	var once sync.Once
	stop := func() { once.Do(func() { require.NoError(t, e.Shutdown(context.Background())) }) }
	t.Cleanup(stop)
	return stopper{Logs: e, stop: stop}
}

type stopper struct {
	exporter.Logs
	stop func()
}

func (s stopper) Shutdown(context.Context) error { s.stop(); return nil }

const wantPipe = "datetime:1612422455.63|Scan ID:id-0|Event:Email Scanned|IP Address:192.0.2.1|Subject:hello|Message ID:m1|To:a@example.com|From:b@example.net|Verdict:MAL|Action:Quarantined"

func TestNetworks(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, cert := authority(t, dir, "server")
	t.Run("tcp", func(t *testing.T) {
		p := (&peer{listener: listen(t, "127.0.0.1:0")}).start(t)
		e := start(t, plain(p.listener.Addr().String()))
		require.NoError(t, e.ConsumeLogs(t.Context(), scans(0, 1, "hello")))
		got := p.await(t, 1)[0]
		require.Equal(t, "<131>1 2021-02-04T07:07:35.63Z collector-1 siempipe - - - "+wantPipe, got)
		_, err := rfc5424.NewParser().Parse([]byte(got))
		require.NoError(t, err)
	})
	t.Run("tcp newline rfc3164", func(t *testing.T) {
		p := (&peer{listener: listen(t, "127.0.0.1:0"), newline: true}).start(t)
		c := plain(p.listener.Addr().String())
		c.Header, c.Framing = "rfc3164", "newline"
		e := start(t, c)
		require.NoError(t, e.ConsumeLogs(t.Context(), scans(0, 1, "hello")))
		require.Equal(t, "<131>"+scanTime.Local().Format("Jan _2 15:04:05")+" collector-1 siempipe: "+wantPipe, p.await(t, 1)[0])
	})
	t.Run("tls", func(t *testing.T) {
		l := listen(t, "127.0.0.1:0")
		p := (&peer{listener: tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool(t, certFile)})}).start(t)
		c := plain(l.Addr().String())
		c.TLS.Insecure, c.TLS.CAFile, c.TLS.CertFile, c.TLS.KeyFile = false, certFile, certFile, keyFile
		e := start(t, c)
		require.NoError(t, e.ConsumeLogs(t.Context(), scans(0, 1, "hello")))
		require.Contains(t, p.await(t, 1)[0], wantPipe)
	})
	t.Run("tls refused", func(t *testing.T) {
		l := listen(t, "127.0.0.1:0")
		p := (&peer{listener: tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})}).start(t)
		c := plain(l.Addr().String())
		c.TLS.Insecure = false
		e := start(t, c)
		err := e.ConsumeLogs(t.Context(), scans(0, 1, "hello"))
		require.ErrorContains(t, err, "unknown authority")
		require.False(t, consumererror.IsPermanent(err), "the operator may mend it")
		require.Empty(t, p.received())
	})
	t.Run("udp", func(t *testing.T) {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer pc.Close()
		c := plain(pc.LocalAddr().String())
		c.Network, c.Header = "udp", "none"
		e := start(t, c)
		require.NoError(t, e.ConsumeLogs(t.Context(), scans(0, 1, "hello")))
		buf := make([]byte, 2000)
		n, _, err := pc.ReadFrom(buf)
		require.NoError(t, err)
		require.Equal(t, wantPipe, string(buf[:n]))
	})
	t.Run("unix", func(t *testing.T) {
		l, err := net.Listen("unix", filepath.Join(dir, "s"))
		require.NoError(t, err)
		p := (&peer{listener: l}).start(t)
		c := plain(filepath.Join(dir, "s"))
		c.Network, c.TLS.Insecure = "unix", false
		e := start(t, c)
		require.NoError(t, e.ConsumeLogs(t.Context(), scans(0, 1, "hello")))
		require.Contains(t, p.await(t, 1)[0], wantPipe)
	})
}

func TestForgedValuesStayInTheirMessage(t *testing.T) {
	forged := []string{
		"x|Verdict:CLN|Action:Delivered",
		"a\r\n<14>1 2026-01-01T00:00:00Z h a - - - Verdict:CLN",
		"a\n<14>Jan  1 00:00:00 h a: Verdict:CLN",
		"a\x00b\u0085c\u2028d\ufeffe\u202ef",
		"10 <14>1 - - - - - - x",
		`back\slash\|pipe`,
		strings.Repeat("long\n", 2000),
		strings.Repeat("ü|\\", 700),
	}
	for _, framing := range []string{"octet_counting", "newline"} {
		for _, escape := range []string{"backslash", "replace", "none"} {
			for _, header := range []string{"rfc5424", "rfc3164", "none"} {
				t.Run(framing+"/"+escape+"/"+header, func(t *testing.T) {
					p := (&peer{listener: listen(t, "127.0.0.1:0"), newline: framing == "newline"}).start(t)
					c := plain(p.listener.Addr().String())
					c.Framing, c.Escape, c.Header = framing, escape, header
					e := start(t, c)
					var records []record.Record
					for i, subject := range forged {
						records = append(records, scan(fmt.Sprintf("id-%d", i), subject))
					}
					require.NoError(t, e.ConsumeLogs(t.Context(), logs(records...)))
					require.NoError(t, e.Shutdown(t.Context()))
					got := p.await(t, len(forged))
					require.Len(t, got, len(forged), "exactly one message for each record")
					for i, m := range got {
						require.LessOrEqual(t, len(m), 1024)
						require.NotContains(t, m, "\n")
						require.Equal(t, map[bool]int{true: 0, false: 1}[header == "none"], strings.Count(m[:min(len(m), 6)], "<131>"))
						if header == "rfc5424" {
							parsed, err := rfc5424.NewParser().Parse([]byte(m))
							require.NoError(t, err)
							m = *parsed.(*rfc5424.SyslogMessage).Message
						}
						if escape == "none" {
							continue
						}
						at := strings.Index(m, "datetime:")
						pairs := pipe.SplitEscaped(nil, m[at:])
						require.Len(t, pairs, 10)
						require.Equal(t, pipe.Pair{Key: "Scan ID", Value: fmt.Sprintf("id-%d", i)}, pairs[1])
						require.Equal(t, pipe.Pair{Key: "Verdict", Value: "MAL"}, pairs[8])
						if escape == "backslash" && i < 6 {
							require.Equal(t, forged[i], pairs[4].Value, "nothing is lost")
						}
					}
				})
			}
		}
	}
}

func TestOverflow(t *testing.T) {
	long := strings.Repeat("free text ", 400)
	for _, c := range []struct {
		overflow string
		messages int
	}{{"shorten", 2}, {"drop", 1}, {"split", 6}} {
		t.Run(c.overflow, func(t *testing.T) {
			tel := componenttest.NewTelemetry()
			defer tel.Shutdown(context.Background())
			p := (&peer{listener: listen(t, "127.0.0.1:0")}).start(t)
			config := plain(p.listener.Addr().String())
			config.Overflow = c.overflow
			set := exportertest.NewNopSettings(metadata.Type)
			set.TelemetrySettings = tel.NewTelemetrySettings()
			e := startWith(t, config, set)
			require.NoError(t, e.ConsumeLogs(t.Context(), logs(scan("long", long), scan("short", "s"))))
			got := p.await(t, c.messages)
			require.Len(t, got, c.messages)
			for _, m := range got {
				require.LessOrEqual(t, len(m), 1024)
				_, err := rfc5424.NewParser().Parse([]byte(m))
				require.NoError(t, err, "each part has a header")
			}
			metadatatest.AssertEqualExporterPipeSyslogMessagesSent(t, tel, points(int64(c.messages), "exporter", set.ID.String()), metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
			switch c.overflow {
			case "shorten":
				metadatatest.AssertEqualExporterPipeSyslogRecordsShortened(t, tel, points(1, "exporter", set.ID.String()), metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
			case "split":
				metadatatest.AssertEqualExporterPipeSyslogRecordsSplit(t, tel, points(1, "exporter", set.ID.String()), metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
				require.Contains(t, got[0], "|Part:1/5|")
			case "drop":
				metadatatest.AssertEqualExporterPipeSyslogRecordsDropped(t, tel, points(1, "exporter", set.ID.String(), "reason", "too_long"), metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
			}
		})
	}
}

func TestInvalidRecords(t *testing.T) {
	invalid := record.Record{Body: `{"error":"no","format":"auto","raw":"<x|y>"}`, EventType: record.Invalid, Error: "no", Received: scanTime}
	ld := logs(invalid, scan("id-0", "hello"))
	ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty().Body().SetStr("a line of text that saw no siem processor")
	for _, include := range []bool{false, true} {
		p := (&peer{listener: listen(t, "127.0.0.1:0")}).start(t)
		c := plain(p.listener.Addr().String())
		c.IncludeInvalid = include
		e := start(t, c)
		require.NoError(t, e.ConsumeLogs(t.Context(), ld))
		require.NoError(t, e.Shutdown(t.Context()))
		if !include {
			require.Len(t, p.await(t, 1), 1)
			continue
		}
		got := p.await(t, 3)
		require.Len(t, got, 3)
		require.Contains(t, got[0], `|Raw:<x\|y>`)
		require.Contains(t, got[2], "|Raw:a line of text that saw no siem processor")
	}
}

func TestSeverities(t *testing.T) {
	p := (&peer{listener: listen(t, "127.0.0.1:0")}).start(t)
	c := plain(p.listener.Addr().String())
	c.Facility = "user"
	e := start(t, c)
	var records []record.Record
	want := []string{"<13>", "<14>", "<13>", "<12>", "<11>", "<10>"} // unknown is above Information
	for s := range want {
		r := scan(fmt.Sprint(s), "x")
		r.Severity = record.Severity(s)
		records = append(records, r)
	}
	require.NoError(t, e.ConsumeLogs(t.Context(), logs(records...)))
	for i, m := range p.await(t, len(want)) {
		require.True(t, strings.HasPrefix(m, want[i]), m)
	}
}

func TestFields(t *testing.T) {
	p := (&peer{listener: listen(t, "127.0.0.1:0")}).start(t)
	c := plain(p.listener.Addr().String())
	c.Header = "none"
	c.Fields = []Field{{Key: "v", From: "Verdict"}, {Key: "Subject"}, {Key: "who", From: "From"}}
	e := start(t, c)
	require.NoError(t, e.ConsumeLogs(t.Context(), scans(0, 1, "hello")))
	require.Equal(t, "v:MAL|Subject:hello|who:b@example.net", p.await(t, 1)[0])
}

func TestNoneOfTheFields(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer tel.Shutdown(context.Background())
	p := (&peer{listener: listen(t, "127.0.0.1:0")}).start(t)
	c := plain(p.listener.Addr().String())
	c.Fields, c.IncludeInvalid = []Field{{Key: "Alert ID"}}, true
	set := exportertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	e := startWith(t, c, set)
	require.NoError(t, e.ConsumeLogs(t.Context(), logs(scan("a", "x"), record.Record{EventType: record.Other, Body: `{"alert_id":"f"}`})))
	require.Contains(t, p.await(t, 1)[0], "Alert ID:f")
	metadatatest.AssertEqualExporterPipeSyslogRecordsDropped(t, tel, points(1, "exporter", set.ID.String(), "reason", "empty"), metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

// TestFailover: the second endpoint takes over when the first is gone.
func TestFailover(t *testing.T) {
	first, second := (&peer{listener: listen(t, "127.0.0.1:0")}).start(t), (&peer{listener: listen(t, "127.0.0.1:0")}).start(t)
	c := queued("")
	c.Endpoints = []string{first.listener.Addr().String(), second.listener.Addr().String()}
	e := start(t, c)
	require.NoError(t, e.ConsumeLogs(t.Context(), scans(0, 10, "hello")))
	first.await(t, 10)
	require.Empty(t, second.received())
	first.stop()
	require.NoError(t, e.ConsumeLogs(t.Context(), scans(10, 10, "hello")))
	seen, _ := ids(second.await(t, 10))
	require.Equal(t, 1, seen["id-19"])
}

// ids returns the scan ids of messages, and how many came more than once.
func ids(messages []string) (map[string]int, int) {
	seen, duplicates := map[string]int{}, 0
	for _, m := range messages {
		_, rest, _ := strings.Cut(m, "Scan ID:")
		id, _, _ := strings.Cut(rest, "|")
		if seen[id]++; seen[id] > 1 {
			duplicates++
		}
	}
	return seen, duplicates
}

func TestOnlyUnsentRecordsComeBack(t *testing.T) {
	p := &peer{listener: listen(t, "127.0.0.1:0"), reset: 1, resetAt: 300_000}
	p.start(t)
	e := start(t, plain(p.listener.Addr().String()))
	const n = 20_000
	ld := scans(0, n, "hello")
	attempts, left := 0, ld
	for {
		attempts++
		err := e.ConsumeLogs(t.Context(), left)
		if err == nil {
			break
		}
		var rest consumererror.Logs
		require.ErrorAs(t, err, &rest)
		require.False(t, consumererror.IsPermanent(err))
		left = rest.Data()
		require.Positive(t, left.LogRecordCount())
		require.Less(t, attempts, 50)
	}
	require.Equal(t, n, ld.LogRecordCount(), "the batch itself is not changed")
	require.GreaterOrEqual(t, attempts, 2)
	require.Eventually(t, func() bool {
		seen, _ := ids(p.received())
		return seen[fmt.Sprintf("id-%d", n-1)] > 0
	}, patience, 5*time.Millisecond)
	for _, m := range p.received() {
		require.True(t, strings.HasSuffix(m, "|Action:Quarantined"), "never torn")
	}
}

func TestPeerRestartedUnderLoad(t *testing.T) {
	address := peers.FreeAddress(t) // which nobody else gets while the peer is away
	p := (&peer{listener: listen(t, address)}).start(t)
	e := start(t, queued(address))
	const rounds, each = 60, 50
	for i := range rounds {
		require.NoError(t, e.ConsumeLogs(t.Context(), scans(i*each, each, "hello")))
		time.Sleep(5 * time.Millisecond)
		if i == rounds/2 {
			p.stop() // with what it has not read
		}
		if i == rounds/2+10 {
			p = &peer{listener: listen(t, address), messages: p.received()}
			p.start(t)
		}
	}
	p.await(t, rounds*each)
	seen, duplicates := ids(p.received())
	require.Len(t, seen, rounds*each)
	t.Logf("%d duplicates", duplicates)
}

func TestShutdownWithAStalledPeer(t *testing.T) {
	_, _, cert := authority(t, t.TempDir(), "server")
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("tls ", secure), func(t *testing.T) {
			l := listen(t, "127.0.0.1:0")
			p := &peer{listener: l, stall: make(chan struct{})}
			if secure {
				p.listener = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
			}
			defer close(p.stall)
			p.start(t)
			c := queued(l.Addr().String())
			c.TLS.Insecure, c.TLS.InsecureSkipVerify = !secure, secure
			c.Timeout = 2 * time.Second
			e := start(t, c)
			for i := range 100 {
				require.NoError(t, e.ConsumeLogs(t.Context(), scans(i*1000, 1000, strings.Repeat("x", 500))))
			}
			began := time.Now()
			require.NoError(t, e.Shutdown(t.Context()))
			require.Less(t, time.Since(began), 25*time.Second, "not a timeout for each of 25 batches that a connection has")
		})
	}
}

func TestDatagramTooLongIsShortened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	pc, err := net.ListenPacket("unixgram", path)
	require.NoError(t, err)
	defer pc.Close()
	c := plain(path)
	c.Network, c.TLS.Insecure, c.MaxMessageLength = "unix", false, 1<<20
	e := start(t, c)
	var got []string
	var wait sync.WaitGroup
	wait.Go(func() {
		buf := make([]byte, 1<<20)
		for range 3 {
			n, _, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			got = append(got, string(buf[:n]))
		}
	})
	require.NoError(t, e.ConsumeLogs(t.Context(), logs(scan("a", "x"), scan("b", strings.Repeat("long ", 180_000)), scan("c", "y"))))
	wait.Wait()
	require.Len(t, got, 3)
	require.Contains(t, got[1], "Scan ID:b|")
	require.Contains(t, got[1], "…")
	require.True(t, strings.HasSuffix(got[1], "|Verdict:MAL|Action:Quarantined"))
	require.Contains(t, got[2], "Scan ID:c|")
}

func TestRenewedCertificates(t *testing.T) {
	dir := t.TempDir()
	certFile, _, first := authority(t, dir, "ca")
	var mu sync.Mutex
	current := first
	l := listen(t, "127.0.0.1:0")
	p := (&peer{listener: tls.NewListener(l, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		return &current, nil
	}})}).start(t)
	c := queued(l.Addr().String())
	c.TLS.Insecure, c.TLS.CAFile, c.TLS.ReloadInterval = false, certFile, time.Millisecond
	e := start(t, c)
	require.NoError(t, e.ConsumeLogs(t.Context(), scans(0, 1, "hello")))
	p.await(t, 1)

	require.NoError(t, os.WriteFile(certFile, []byte("half a file"), 0o600)) // while it is being written
	p.mu.Lock()
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	require.NoError(t, e.ConsumeLogs(t.Context(), scans(1, 1, "hello")))
	p.await(t, 2)

	mu.Lock()
	_, _, current = authority(t, dir, "ca")
	mu.Unlock()
	p.mu.Lock()
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	require.NoError(t, e.ConsumeLogs(t.Context(), scans(2, 1, "hello")))
	seen, _ := ids(p.await(t, 3))
	require.Len(t, seen, 3)
}

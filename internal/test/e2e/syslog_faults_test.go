package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// load posts numbered scans, some at a time, until stop is closed, and returns how many.
func load(t *testing.T, r *running, stop <-chan struct{}) (n int) {
	t.Helper()
	const each = 50
	for {
		var bodies []string
		for i := range each {
			bodies = append(bodies, mailScan(fmt.Sprintf("id-%d", n+i), strings.Repeat("load ", 100), "f@acme.example").body())
		}
		r.post(t, "perception_point_syslog", strings.Join(bodies, "\n"))
		n += each
		select {
		case <-stop:
			return n
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// allArrive waits until every scan of a load is among the messages, and holds those that came twice to the exporter's
// own count.
func allArrive(t *testing.T, r *running, n int, messages func() []string) {
	t.Helper()
	var seen map[string]int
	var all []string
	waitFor(t, func() bool {
		seen = map[string]int{}
		all = messages()
		for _, m := range all {
			if id := scanID(m); id != "" {
				seen[id]++
			}
		}
		return len(seen) >= n
	}, func() string { return fmt.Sprintf("%d of %d scans arrived", len(seen), n) })
	require.Len(t, seen, n, "nothing that was never sent")
	duplicates := 0
	for _, count := range seen {
		duplicates += count - 1
	}
	m, err := harness.Scrape("http://" + r.metrics + "/metrics")
	require.NoError(t, err)
	repeated := m.Sum("otelcol_exporter_pipe_syslog_messages_repeated")
	require.LessOrEqual(t, duplicates, repeated, "what comes twice is counted")
	t.Logf("%d scans, %d came twice, %d counted as perhaps repeated, %d reconnects", n, duplicates, repeated,
		m.Sum("otelcol_exporter_pipe_syslog_reconnects"))
}

// scanID is the id in a message that is whole, "" in a torn one.
func scanID(m string) string {
	_, rest, found := strings.Cut(m, "|Scan ID:")
	id, _, _ := strings.Cut(rest, "|")
	if !found || !strings.HasSuffix(m, "|Action:Quarantined|Sample:s1") {
		return ""
	}
	return id
}

// quick makes failures show in a test's time.
const quick = "    timeout: 2s\n    retry_on_failure: {initial_interval: 50ms, max_interval: 500ms}\n    sending_queue: {batch: {flush_timeout: 20ms}}\n"

// rounds is how often a test does harm: SIEMPIPE_SOAK_ROUNDS for a long run, or few.
func rounds(few int) int {
	if n, err := strconv.Atoi(os.Getenv("SIEMPIPE_SOAK_ROUNDS")); err == nil {
		return n
	}
	return few
}

func TestRsyslogRestartedUnderLoad(t *testing.T) {
	for _, listener := range []string{peers.SyslogOctet, peers.SyslogNewline, peers.SyslogTLS} {
		t.Run(listener, func(t *testing.T) {
			server := peers.StartRsyslog(t)
			r := start(t, []string{"pipe_syslog"}, "  pipe_syslog:\n"+syslogExporter(server, listener, quick))
			stop := make(chan struct{})
			var loaded sync.WaitGroup
			n := 0
			loaded.Go(func() { n = load(t, r, stop) })
			for range rounds(3) {
				time.Sleep(400 * time.Millisecond)
				server.Stop(t, syscall.SIGTERM)
				time.Sleep(200 * time.Millisecond)
				server.Start(t)
			}
			time.Sleep(200 * time.Millisecond)
			close(stop)
			loaded.Wait()
			allArrive(t, r, n, func() []string { return server.Messages(t, listener) })
		})
	}
}

// TestFailoverToASecondRsyslog: the first goes away under load, and comes back.
func TestFailoverToASecondRsyslog(t *testing.T) {
	first, second := peers.StartRsyslog(t), peers.StartRsyslog(t)
	r := start(t, []string{"pipe_syslog"}, fmt.Sprintf("  pipe_syslog:\n    endpoints: [%q, %q]\n    failback_interval: 300ms\n    tls: {insecure: true}\n%s",
		first.Endpoint(peers.SyslogOctet), second.Endpoint(peers.SyslogOctet), strings.Replace(quick, "timeout: 2s", "timeout: 30s", 1))) // slow is not away
	stop := make(chan struct{})
	var loaded sync.WaitGroup
	n := 0
	loaded.Go(func() { n = load(t, r, stop) })
	time.Sleep(400 * time.Millisecond)
	require.Empty(t, second.Messages(t, peers.SyslogOctet), "only when the first fails")
	first.Stop(t, syscall.SIGTERM)
	waitFor(t, func() bool { return len(second.Messages(t, peers.SyslogOctet)) > 0 }, func() string { return "no failover" })
	first.Start(t)
	before := len(first.Messages(t, peers.SyslogOctet))
	waitFor(t, func() bool { return len(first.Messages(t, peers.SyslogOctet)) > before }, func() string { return "no failback" })
	close(stop)
	loaded.Wait()
	allArrive(t, r, n, func() []string {
		return append(first.Messages(t, peers.SyslogOctet), second.Messages(t, peers.SyslogOctet)...)
	})
}

// TestCertificatesReplacedUnderLoad: a new authority, and new certificates on both sides; the old ones are trusted by
// nobody any more.
func TestCertificatesReplacedUnderLoad(t *testing.T) {
	server := peers.StartRsyslog(t)
	r := start(t, []string{"pipe_syslog"}, "  pipe_syslog:\n"+syslogExporter(server, peers.SyslogMutual, quick))
	stop := make(chan struct{})
	var loaded sync.WaitGroup
	n := 0
	loaded.Go(func() { n = load(t, r, stop) })
	for range rounds(2) {
		time.Sleep(400 * time.Millisecond)
		server.Stop(t, syscall.SIGTERM)
		server.Authority.Renew(t)
		server.Start(t)
	}
	time.Sleep(400 * time.Millisecond)
	close(stop)
	loaded.Wait()
	allArrive(t, r, n, func() []string { return server.Messages(t, peers.SyslogMutual) })
}

// TestStrangersAreRefused: without a certificate of the authority's nothing is sent to a listener that asks for one, and
// nothing to a server that is of another authority.
func TestStrangersAreRefused(t *testing.T) {
	server := peers.StartRsyslog(t)
	other := peers.NewAuthority(t)
	for name, config := range map[string]string{
		"no certificate":    fmt.Sprintf("    endpoint: %s\n    tls: {ca_file: %s}\n", server.Endpoint(peers.SyslogMutual), server.Authority.File),
		"another authority": fmt.Sprintf("    endpoint: %s\n    tls: {ca_file: %s}\n", server.Endpoint(peers.SyslogTLS), other.File),
		"another name": fmt.Sprintf("    endpoint: %s\n    tls: {ca_file: %s, server_name_override: siem.example.com}\n",
			server.Endpoint(peers.SyslogTLS), server.Authority.File),
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, []string{"pipe_syslog"}, "  pipe_syslog:\n"+config+quick)
			r.post(t, "perception_point_syslog", mailScan("id-0", "x", "f@acme.example").body())
			waitFor(t, func() bool { return strings.Contains(r.log.String(), "tls: ") }, func() string { return "no error in the log" })
			for _, listener := range []string{peers.SyslogTLS, peers.SyslogMutual} {
				require.Empty(t, server.Messages(t, listener))
			}
		})
	}
}

// TestConnectionsResetInTheMiddleOfMessages puts a proxy before rsyslog that resets each of the first connections after
// some bytes, on both sides, with what it holds.
func TestConnectionsResetInTheMiddleOfMessages(t *testing.T) {
	server := peers.StartRsyslog(t)
	proxy := startResetter(t, server.Endpoint(peers.SyslogOctet), 4, 200_003)
	config := fmt.Sprintf("  pipe_syslog:\n    endpoint: %s\n    tls: {insecure: true}\n%s", proxy, quick)
	r := start(t, []string{"pipe_syslog"}, config)
	stop := make(chan struct{})
	time.AfterFunc(1500*time.Millisecond, func() { close(stop) })
	n := load(t, r, stop)
	allArrive(t, r, n, func() []string { return server.Messages(t, peers.SyslogOctet) })
}

// startResetter starts a proxy that resets the first so many connections after so many bytes.
func startResetter(t *testing.T, upstream string, resets int32, after int64) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	var accepted atomic.Int32
	go func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				up, err := net.Dial("tcp", upstream)
				if err != nil {
					down.Close()
					return
				}
				if accepted.Add(1) <= resets {
					_, _ = io.Copy(up, io.LimitReader(down, after))
					_ = up.(*net.TCPConn).SetLinger(0)
					_ = down.(*net.TCPConn).SetLinger(0)
				} else {
					_, _ = io.Copy(up, down)
					_ = up.(*net.TCPConn).CloseWrite()
					_, _ = io.Copy(io.Discard, up) // rsyslog has read everything when it ends
				}
				up.Close()
				down.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// TestStalledRsyslog: SIGTERM ends a collector in time whose server takes connections and does not read, and everything
// that was accepted arrives after the next start.
func TestStalledRsyslog(t *testing.T) {
	for _, listener := range []string{peers.SyslogOctet, peers.SyslogTLS} {
		t.Run(listener, func(t *testing.T) {
			server := peers.StartRsyslog(t)
			state := t.TempDir()
			const timeout = 2 * time.Second
			config := func() string {
				return "  pipe_syslog:\n" + syslogExporter(server, listener, strings.Replace(quick, "sending_queue: {", "sending_queue: {storage: file_storage, ", 1))
			}
			r := startStored(t, state, config())
			stop := make(chan struct{})
			time.AfterFunc(500*time.Millisecond, func() { server.Pause(t) })
			time.AfterFunc(1500*time.Millisecond, func() { close(stop) })
			n := load(t, r, stop)
			began := time.Now()
			require.NoError(t, r.Stop(stopTimeout))
			require.Less(t, time.Since(began), 20*time.Second, "SIGTERM ends within its timeout, not when the connections have settled after 30 s")
			t.Logf("%d scans taken; SIGTERM ended the collector in %s, timeout %s", n, time.Since(began).Round(time.Millisecond), timeout)

			server.Resume(t)
			startStored(t, state, config())
			var seen map[string]bool
			waitFor(t, func() bool {
				seen = map[string]bool{}
				for _, m := range server.Messages(t, listener) {
					if id := scanID(m); id != "" {
						seen[id] = true
					}
				}
				return len(seen) >= n
			}, func() string { return fmt.Sprintf("%d of %d scans arrived", len(seen), n) })
			require.Len(t, seen, n)
		})
	}
}

// startStored is start with a stored queue, whose exporters name file_storage.
func startStored(t *testing.T, state, exporters string) *running {
	t.Helper()
	r := &running{receiver: freeAddr(t), health: freeAddr(t), log: &safeBuffer{}}
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `
receivers:
  findings:
    endpoint: %s
processors:
  siem:
exporters:
%s
extensions:
  health_check:
    endpoint: %s
  file_storage:
    directory: %s
service:
  extensions: [health_check, file_storage]
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [findings], processors: [siem], exporters: [pipe_syslog]}
`, r.receiver, exporters, r.health, state), 0o600))
	r.run(t, path, nil)
	return r
}

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// fluentBit finds a real Fluent Bit: the one that FLUENT_BIT names, or the one on PATH. Without one the test says loudly
// that it did not run.
func fluentBit(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("FLUENT_BIT"); path != "" {
		return path // if it is not there, starting it fails
	}
	path, err := exec.LookPath("fluent-bit")
	if err != nil {
		fmt.Fprintf(os.Stderr, "\n*** %s DID NOT RUN: no fluent-bit on PATH; set FLUENT_BIT to one ***\n\n", t.Name())
		t.Skip("no fluent-bit on PATH, and FLUENT_BIT names none")
	}
	return path
}

// fluentRun is a running Fluent Bit.
type fluentRun struct {
	cmd *exec.Cmd
	log *safeBuffer
}

// startFluent runs a configuration with our plugin in it until the test ends or stop.
func startFluent(t *testing.T, binary, config string) *fluentRun {
	t.Helper()
	plugin, err := filepath.Abs(library)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "fluent-bit.yaml")
	require.NoError(t, os.WriteFile(path, []byte("plugins: ["+plugin+"]\n"+config), 0o600))
	r := &fluentRun{cmd: exec.Command(binary, "-c", path), log: &safeBuffer{}}
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	require.NoError(t, r.cmd.Start())
	t.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			_ = r.cmd.Process.Kill()
			_ = r.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("fluent-bit's log:\n%.20000s", r.log)
		}
	})
	return r
}

// stop sends a signal and waits for the end.
func (r *fluentRun) stop(t *testing.T, signal os.Signal) {
	t.Helper()
	require.NoError(t, r.cmd.Process.Signal(signal))
	ended := make(chan error, 1)
	go func() { ended <- r.cmd.Wait() }()
	select {
	case err := <-ended:
		if signal == syscall.SIGTERM {
			require.NoError(t, err)
		}
	case <-time.After(arriveTimeout):
		t.Fatal("fluent-bit does not end")
	}
}

// ndjson writes n findings of some accounts, one a line, and returns the lines.
func ndjson(t *testing.T, path string, n int) map[string]int {
	t.Helper()
	lines := make(map[string]int, n)
	var text strings.Builder
	for i := range n {
		line := fmt.Sprintf(`{"alert_id":"f-%d","severity":"High","account_id":"%d","description":"%s","detection_type":"other","detection_timestamp":"2026-11-20T10:00:00Z"}`,
			i, i%5, strings.Repeat("x", i%700))
		lines[line]++
		text.WriteString(line + "\n")
	}
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))
	return lines
}

// linesOf counts the lines of all objects of a directory, which may be written to meanwhile.
func linesOf(t *testing.T, dir string) map[string]int {
	t.Helper()
	lines := make(map[string]int)
	_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return nil // comes and goes
		}
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		for line := range strings.Lines(string(content)) {
			lines[strings.TrimSuffix(line, "\n")]++
		}
		return nil
	})
	return lines
}

func total(lines map[string]int) (n int) {
	for _, count := range lines {
		n += count
	}
	return n
}

// TestFluentBitCounts: a real Fluent Bit with tail, raw and parsed, and dummy: what goes in comes out, in a directory and over
// syslog, once.
func TestFluentBitCounts(t *testing.T) {
	binary := fluentBit(t)
	dir := t.TempDir()
	const n, samples = 20_000, 30
	want := ndjson(t, filepath.Join(dir, "in.ndjson"), n)
	address, messages := lineListener(t)
	r := startFluent(t, binary, fmt.Sprintf(`
service: {flush: 1, grace: 10, log_level: info}
parsers:
  - {name: object, format: json}
pipeline:
  inputs:
    - {name: tail, tag: raw, path: %[1]s/in.ndjson, read_from_head: on}
    - {name: tail, tag: parsed, path: %[1]s/in.ndjson, read_from_head: on, parser: object}
    - {name: dummy, tag: dummy, samples: %[2]d, rate: 100, dummy: '{"alert_id":"dummy","detection_type":"other"}'}
  outputs:
    - {name: siempipe, match: raw, Output: directory, Directory: %[1]s/raw, workers: 2}
    - {name: siempipe, match: parsed, output: directory, directory: %[1]s/parsed, workers: 2, compression: none}
    - {name: siempipe, match: dummy, output: syslog, endpoint: '%[3]s', tls_insecure: on, framing: newline, workers: 1}
`, dir, samples, address))
	for _, out := range []string{"raw", "parsed"} {
		waitFor(t, func() bool { return total(linesOf(t, filepath.Join(dir, out))) >= n },
			func() string {
				return fmt.Sprintf("%s: %d of %d", out, total(linesOf(t, filepath.Join(dir, out))), n)
			})
	}
	assert.Len(t, messages(samples), samples)
	r.stop(t, syscall.SIGTERM)
	for _, out := range []string{"raw", "parsed"} {
		got := linesOf(t, filepath.Join(dir, out))
		assert.Equal(t, n, total(got), out)
		for line := range want {
			if got[line] != 1 {
				t.Fatalf("%s: %d times: %.200s", out, got[line], line)
			}
		}
	}
	assert.Contains(t, r.log.String(), "[output:siempipe] to directory "+dir+"/raw", "our lines are in its log")
	assert.NotContains(t, r.log.String(), "[ warn] [output:siempipe]")
}

// TestFluentBitRestart: Fluent Bit is killed while the SIEM is away and chunks wait on disk; after a restart everything
// arrives, at the SIEM at least once and in the directory exactly once.
func TestFluentBitRestart(t *testing.T) {
	binary := fluentBit(t)
	dir := t.TempDir()
	const n = 5_000
	want := ndjson(t, filepath.Join(dir, "in.ndjson"), n)
	address := freeAddr(t)
	config := fmt.Sprintf(`
service: {flush: 1, grace: 5, storage.path: %[1]s/storage, storage.sync: full, scheduler.base: 1, scheduler.cap: 2}
pipeline:
  inputs:
    - {name: tail, tag: t, path: %[1]s/in.ndjson, db: %[1]s/in.db, read_from_head: on, storage.type: filesystem}
  outputs:
    - {name: siempipe, match: t, output: directory, directory: %[1]s/out, workers: 1, retry_limit: no_limits}
    - {name: siempipe, match: t, output: syslog, endpoint: '%[2]s', tls_insecure: on, framing: newline, workers: 1, retry_limit: no_limits, timeout: 2s}
`, dir, address)
	first := startFluent(t, binary, config)
	waitFor(t, func() bool {
		return total(linesOf(t, filepath.Join(dir, "out"))) >= n && strings.Contains(first.log.String(), "to be retried")
	}, func() string { return "nothing is retried" })
	first.stop(t, syscall.SIGKILL)

	received := listenOn(t, address)
	second := startFluent(t, binary, config)
	seen := make(map[string]bool)
	for deadline := time.After(arriveTimeout); len(seen) < n; {
		select {
		case line := <-received:
			_, id, _ := strings.Cut(line, "|Alert ID:")
			id, _, _ = strings.Cut(id, "|")
			seen[id] = true
		case <-deadline:
			t.Fatalf("%d of %d records arrived after the restart", len(seen), n)
		}
	}
	second.stop(t, syscall.SIGTERM)
	got := linesOf(t, filepath.Join(dir, "out"))
	assert.Equal(t, want, got)
}

// TestFluentBitKilledWhileItReads: no record is lost when Fluent Bit is killed while chunks grow. With storage.checksum such a chunk
// is never read again.
func TestFluentBitKilledWhileItReads(t *testing.T) {
	binary := fluentBit(t)
	dir := t.TempDir()
	const n, kills = 4_000, 4
	want := ndjson(t, filepath.Join(dir, "all"), n)
	all, err := os.ReadFile(filepath.Join(dir, "all"))
	require.NoError(t, err)
	lines := strings.SplitAfter(strings.TrimSuffix(string(all), "\n"), "\n")
	in, err := os.Create(filepath.Join(dir, "in.ndjson"))
	require.NoError(t, err)
	defer func() { _ = in.Close() }()
	config := fmt.Sprintf(`
service: {flush: 1, grace: 5, storage.path: %[1]s/storage, storage.sync: full}
pipeline:
  inputs:
    - {name: tail, tag: t, path: %[1]s/in.ndjson, db: %[1]s/in.db, read_from_head: on, storage.type: filesystem}
  outputs:
    - {name: siempipe, match: t, output: directory, directory: %[1]s/out, workers: 1, retry_limit: no_limits}
`, dir)
	next := 0
	write := func(most int) {
		for range min(most, n-next) {
			_, err := in.WriteString(lines[next])
			require.NoError(t, err)
			next++
		}
	}
	for range kills {
		r := startFluent(t, binary, config)
		before := len(linesOf(t, filepath.Join(dir, "out")))
		write(n / kills / 2)
		waitFor(t, func() bool { return len(linesOf(t, filepath.Join(dir, "out"))) > before }, func() string { return "nothing is read" })
		write(n / kills / 2) // into a chunk that no flush has taken yet
		r.stop(t, syscall.SIGKILL)
	}
	_, err = in.WriteString("\n")
	require.NoError(t, err)
	r := startFluent(t, binary, config)
	var got map[string]int
	waitFor(t, func() bool {
		got = linesOf(t, filepath.Join(dir, "out"))
		return len(got) >= n
	}, func() string { return fmt.Sprintf("%d of %d records", len(got), n) })
	r.stop(t, syscall.SIGTERM)
	for line := range want {
		assert.Positive(t, got[line], line)
	}
	assert.Len(t, got, n)
}

// TestFluentBitReload: after hot reloads records go on, and none is lost or repeated.
func TestFluentBitReload(t *testing.T) {
	binary := fluentBit(t)
	dir := t.TempDir()
	in := filepath.Join(dir, "in.ndjson")
	require.NoError(t, os.WriteFile(in, nil, 0o600))
	r := startFluent(t, binary, fmt.Sprintf(`
service: {flush: 1, grace: 5, hot_reload: on}
pipeline:
  inputs:
    - {name: tail, tag: t, path: %[1]s/in.ndjson, db: %[1]s/in.db, read_from_head: on, refresh_interval: 1}
  outputs:
    - {name: siempipe, match: t, output: directory, directory: %[1]s/out, workers: 1}
`, dir))
	started := "[output:siempipe] to directory"
	const rounds, each = 4, 200
	for n := range rounds {
		waitFor(t, func() bool { return strings.Count(r.log.String(), started) > n }, func() string { return "it does not start again" })
		file, err := os.OpenFile(in, os.O_APPEND|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		for i := range each {
			fmt.Fprintf(file, `{"alert_id":"f-%d-%d","detection_type":"other"}`+"\n", n, i)
		}
		require.NoError(t, file.Close())
		want := (n + 1) * each
		waitFor(t, func() bool { return total(linesOf(t, filepath.Join(dir, "out"))) >= want }, func() string {
			return fmt.Sprintf("%d of %d after %d reloads", total(linesOf(t, filepath.Join(dir, "out"))), want, n)
		})
		if n < rounds-1 {
			require.NoError(t, r.cmd.Process.Signal(syscall.SIGHUP))
		}
	}
	r.stop(t, syscall.SIGTERM)
	got := linesOf(t, filepath.Join(dir, "out"))
	assert.Len(t, got, rounds*each)
	assert.Equal(t, rounds*each, total(got))
}

// TestFluentBitSaysWhatIsWrong: a wrong value ends the start, with key, value and what is allowed in Fluent Bit's own log.
func TestFluentBitSaysWhatIsWrong(t *testing.T) {
	binary := fluentBit(t)
	r := startFluent(t, binary, `
pipeline:
  inputs:
    - {name: dummy}
  outputs:
    - {name: siempipe, match: '*', Output: dir, directory: x, escape: quotes}
`)
	err := r.cmd.Wait()
	assert.Error(t, err)
	assert.Contains(t, r.log.String(), `[error] [output:siempipe] output: "dir", want one of s3, directory, syslog`)
	assert.Contains(t, r.log.String(), `[error] [output:siempipe] escape: "quotes", want one of backslash, replace, none`)
}

// TestFluentBitExamples: a real Fluent Bit takes every example and starts with it; the vendor's line that goes into the syslog
// ones comes out at a SIEM with TLS.
func TestFluentBitExamples(t *testing.T) {
	binary := fluentBit(t)
	dir := t.TempDir()
	plugin, err := filepath.Abs(library)
	require.NoError(t, err)
	paths, err := filepath.Glob("../../../examples/fluent-bit/*")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	_, port, err := net.SplitHostPort(freeAddr(t))
	require.NoError(t, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		changed := strings.NewReplacer("/usr/local/lib/out_siempipe.so", plugin, "5140", port).Replace(string(text))
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(path)), []byte(changed), 0o600))
	}
	authority := peers.NewAuthority(t)
	cert, err := tls.LoadX509KeyPair(authority.Server.CertFile, authority.Server.KeyFile)
	require.NoError(t, err)
	siem, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	require.NoError(t, err)
	defer siem.Close()
	received := readFrames(siem)
	_, siemPort, err := net.SplitHostPort(siem.Addr().String())
	require.NoError(t, err)
	seed, err := os.ReadFile("../../../testdata/perception_point_syslog/seed.in")
	require.NoError(t, err)

	for _, name := range []string{"tail-to-s3.yaml", "tail-to-s3.conf", "syslog-to-siem.yaml", "syslog-to-siem.conf"} {
		t.Run(name, func(t *testing.T) {
			r := &fluentRun{cmd: exec.Command(binary, "-c", name), log: &safeBuffer{}}
			r.cmd.Dir = dir
			r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
			r.cmd.Env = append(os.Environ(), "SIEMPIPE_BUCKET=acme-siem", "SIEMPIPE_REGION=eu-central-1", "SIEMPIPE_STATE="+t.TempDir(),
				"SIEMPIPE_LOGS="+t.TempDir(), "SIEMPIPE_SIEM=localhost:"+siemPort, "SIEMPIPE_CA="+authority.File)
			require.NoError(t, r.cmd.Start())
			waitFor(t, func() bool { return strings.Contains(r.log.String(), "worker #1 started") }, r.log.String)
			if strings.HasPrefix(name, "syslog") {
				c, err := net.Dial("tcp", "127.0.0.1:"+port)
				require.NoError(t, err)
				defer c.Close()
				_, err = fmt.Fprintf(c, "<134>Feb  4 07:07:35 pp %s\n", strings.TrimSpace(string(seed)))
				require.NoError(t, err)
				select {
				case got := <-received:
					assert.Contains(t, got, "datetime:1612422455.63|Scan ID:000176_1_3e0af324-b2dd-4c24-b952-37457c5882e2|Event:Email Scanned|")
				case <-time.After(arriveTimeout):
					t.Error("nothing arrived at the SIEM")
				}
			}
			r.stop(t, syscall.SIGTERM)
			assert.NotContains(t, r.log.String(), "[error]")
			if t.Failed() {
				t.Log(r.log)
			}
		})
	}
}

// readFrames reads octet-counted messages.
func readFrames(l net.Listener) <-chan string {
	messages := make(chan string, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for r := bufio.NewReader(c); ; {
					message, err := harness.ReadFrame(r)
					if err != nil {
						return
					}
					messages <- message
				}
			}()
		}
	}()
	return messages
}

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/fluentbit"
	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/msgpack"
	"github.com/siempipe/siempipe/internal/test/peers"
)

const library = "../../../bin/out_siempipe.so"

// pluginHost is the C program that loads the plugin as Fluent Bit does.
type pluginHost struct {
	t     *testing.T
	pid   int
	in    io.WriteCloser
	lines chan string
	log   []string
	next  int
}

// startHost builds and starts it. Without a C compiler or the library the test fails: make test builds the library, which
// needs a C compiler, too.
func startHost(t *testing.T) *pluginHost {
	t.Helper()
	if _, err := os.Stat(library); err != nil {
		t.Fatalf("%v: build the plugin first, with make fluentbit", err)
	}
	binary := filepath.Join(t.TempDir(), "host")
	out, err := exec.Command("cc", "-Wall", "-o", binary, "../../../fluentbit/testhost/host.c", "-ldl", "-lpthread").CombinedOutput()
	require.NoError(t, err, string(out))
	cmd := exec.Command(binary, library)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	h := &pluginHost{t: t, pid: cmd.Process.Pid, in: in, lines: make(chan string, 1000)}
	go func() {
		defer close(h.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			h.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		fmt.Fprintln(in, "end")
		in.Close()
		assert.Equal(t, "end", h.answer())
		assert.NoError(t, cmd.Wait())
		if t.Failed() {
			t.Logf("the plugin's log:\n%s", strings.Join(h.log, "\n"))
		}
	})
	assert.Equal(t, "register 0 2 11 siempipe", h.answer())
	return h
}

// answer is the next line that is no log line.
func (h *pluginHost) answer() string {
	for {
		select {
		case line, ok := <-h.lines:
			if !ok {
				h.t.Fatalf("the host ended; its log:\n%s", strings.Join(h.log, "\n"))
			}
			if text, isLog := strings.CutPrefix(line, "log "); isLog {
				h.log = append(h.log, text)
				continue
			}
			return line
		case <-time.After(arriveTimeout):
			h.t.Fatal("the host does not answer")
		}
	}
}

// init makes an instance and returns its number and what the plugin returned.
func (h *pluginHost) init(keys map[string]string) (id int, answer string) {
	id = h.next
	h.next = (h.next + 1) % 32
	fmt.Fprintf(h.in, "init %d\n", id)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		fmt.Fprintf(h.in, "%s=%s\n", key, keys[key])
	}
	fmt.Fprintln(h.in)
	return id, h.answer()
}

// flush flushes a chunk from some threads, some times in each, and returns how often which result came.
func (h *pluginHost) flush(id int, chunk []byte, threads, times int) string {
	path := filepath.Join(h.t.TempDir(), "chunk")
	require.NoError(h.t, os.WriteFile(path, chunk, 0o600))
	fmt.Fprintf(h.in, "flush %d %s %d %d\n", id, path, threads, times)
	return h.answer()
}

func (h *pluginHost) exit(id int) string {
	fmt.Fprintf(h.in, "exit %d\n", id)
	return h.answer()
}

const (
	once  = "flush error=0 ok=1 retry=0 other=0"
	again = "flush error=0 ok=0 retry=1 other=0"
	never = "flush error=1 ok=0 retry=0 other=0"
)

// TestPluginMakesTheChunksGoldens: the built library makes of every recorded buffer what the Collector makes of its records.
func TestPluginMakesTheChunksGoldens(t *testing.T) {
	chunks, err := fluentbit.Chunks(chunksDir)
	require.NoError(t, err)
	h := startHost(t)
	for _, c := range chunks {
		t.Run(c.Name, func(t *testing.T) {
			path := filepath.Join(chunksDir, c.Name+".golden")
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			got := ""
			for _, format := range fluentbit.Formats {
				dir := filepath.Join(t.TempDir(), "out")
				store, answer := h.init(map[string]string{"Output": "directory", "DIRECTORY": dir, "format": format})
				require.Equal(t, "init 1", answer)
				address, messages := lineListener(t)
				siem, answer := h.init(map[string]string{
					"output": "syslog", "endpoint": address, "tls_insecure": "on", "framing": "newline", "hostname": "host",
					"include_invalid": "true", "format": format,
				})
				require.Equal(t, "init 1", answer)
				require.Equal(t, once, h.flush(store, c.Data, 1, 1))
				require.Equal(t, once, h.flush(siem, c.Data, 1, 1))
				require.Equal(t, "exit 1", h.exit(store))
				require.Equal(t, "exit 1", h.exit(siem))
				require.Equal(t, never, h.flush(store, c.Data, 1, 1), "an instance that is gone")
				tree, err := fluentbit.Tree(dir)
				require.NoError(t, err)
				got += fluentbit.Part(format, tree, messages(len(c.Records)))
			}
			assert.Equal(t, string(want), got)
		})
	}
}

// TestPluginMakesTheCorpusGoldens: the same for every case of every format, all cases of a format in one chunk.
func TestPluginMakesTheCorpusGoldens(t *testing.T) {
	cases, err := harness.Corpus("../../../testdata")
	require.NoError(t, err)
	h := startHost(t)
	when := time.Unix(1700000000, 0)
	type expected struct {
		bodies []string
		chunk  []byte
	}
	byFormat := make(map[string]*expected)
	for i := range cases {
		c := &cases[i]
		e := byFormat[c.Golden.Format]
		if e == nil {
			e = &expected{}
			byFormat[c.Golden.Format] = e
		}
		if _, err := os.Stat(filepath.Join("../../../testdata", c.Name+".fields")); err == nil {
			continue // stands under a header of its own; fluentbit/plugin has it
		}
		e.bodies = append(e.bodies, string(c.Golden.Body))
		e.chunk = msgpack.AppendRaw(e.chunk, when, "log", c.Input)
	}
	for format, e := range byFormat {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			id, answer := h.init(map[string]string{
				"output": "directory", "directory": dir, "format": format, "exclude_dismissed": "off", "exclude_snoozed": "off",
			})
			require.Equal(t, "init 1", answer)
			require.Equal(t, once, h.flush(id, e.chunk, 1, 1))
			require.Equal(t, "exit 1", h.exit(id))
			tree, err := fluentbit.Tree(dir)
			require.NoError(t, err)
			var got []string
			for _, content := range tree {
				for line := range strings.Lines(content) {
					if !strings.Contains(line, `,"guardduty":{"type":`) { // findings beside their rows
						got = append(got, strings.TrimSuffix(line, "\n"))
					}
				}
			}
			assert.ElementsMatch(t, e.bodies, got)
		})
	}
}

// TestPluginInstances: several with different settings in one process; a wrong one names what is wrong and harms none.
func TestPluginInstances(t *testing.T) {
	h := startHost(t)
	dirs := make([]string, 3)
	ids := make([]int, 3)
	for i := range dirs {
		dirs[i] = filepath.Join(t.TempDir(), "out")
		var answer string
		ids[i], answer = h.init(map[string]string{"output": "directory", "directory": dirs[i], "root": fmt.Sprint("root", i)})
		require.Equal(t, "init 1", answer)
	}
	_, answer := h.init(map[string]string{"output": "directory", "directory": "x", "Compression": "lzw", "timeout": "soon", "format": "csv"})
	assert.Equal(t, "init 0", answer)
	log := strings.Join(h.log, "\n")
	for _, want := range []string{
		`1 [output:siempipe] compression: "lzw", want one of none, gzip, zstd`,
		`1 [output:siempipe] timeout: "soon", want a time such as 30s, 500ms or 5m`,
		`1 [output:siempipe] format: "csv", want one of auto, panoptica, `,
	} {
		assert.Contains(t, log, want)
	}
	chunk := msgpack.AppendRaw(nil, time.Now(), "log", `{"alert_id":"f-1"}`)
	for i, id := range ids {
		assert.Equal(t, once, h.flush(id, chunk, 1, 1))
		tree, err := fluentbit.Tree(dirs[i])
		require.NoError(t, err)
		assert.Len(t, tree, 1)
		for key := range tree {
			assert.True(t, strings.HasPrefix(key, fmt.Sprintf("root%d/other/", i)), key)
		}
		assert.Equal(t, "exit 1", h.exit(id))
	}
}

// TestPluginConcurrentFlushes: workers flush one instance at the same time.
func TestPluginConcurrentFlushes(t *testing.T) {
	h := startHost(t)
	dir := t.TempDir()
	store, answer := h.init(map[string]string{"output": "directory", "directory": dir})
	require.Equal(t, "init 1", answer)
	address, messages := lineListener(t)
	siem, answer := h.init(map[string]string{"output": "syslog", "endpoint": address, "tls_insecure": "on", "framing": "newline"})
	require.Equal(t, "init 1", answer)
	var chunk []byte
	const records, threads, times = 200, 8, 5
	for i := range records {
		chunk = msgpack.AppendStructured(chunk, time.Unix(1700000000, 0), fmt.Sprintf(`{"alert_id":"f-%d","account_id":"%d"}`, i, i%4))
	}
	all := fmt.Sprintf("flush error=0 ok=%d retry=0 other=0", threads*times)
	assert.Equal(t, all, h.flush(store, chunk, threads, times))
	assert.Equal(t, all, h.flush(siem, chunk, threads, times))
	tree, err := fluentbit.Tree(dir)
	require.NoError(t, err)
	assert.Len(t, tree, 4, "the same chunk makes the same objects, however often it comes")
	assert.Len(t, messages(records*threads*times), records*threads*times)
	assert.Equal(t, "exit 1", h.exit(store))
	assert.Equal(t, "exit 1", h.exit(siem))
}

// TestPluginFailingDestinations: what can get better comes back and then arrives once; the host is never held for long.
func TestPluginFailingDestinations(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	h := startHost(t)
	chunk := msgpack.AppendRaw(nil, time.Unix(1700000000, 0), "log", `{"alert_id":"f-1"}`)

	siem, answer := h.init(map[string]string{"output": "syslog", "endpoint": "127.0.0.1:1", "tls_insecure": "on", "timeout": "1"})
	require.Equal(t, "init 1", answer)
	assert.Equal(t, again, h.flush(siem, chunk, 1, 1))
	assert.Contains(t, strings.Join(h.log, "\n"), "2 [output:siempipe] the.tag: chunk with 1 records not delivered to syslog tcp 127.0.0.1:1 and to be retried: ")
	assert.Equal(t, "exit 1", h.exit(siem))

	dir := t.TempDir()
	store, answer := h.init(map[string]string{"output": "directory", "directory": dir})
	require.Equal(t, "init 1", answer)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Panoptica"), nil, 0o600), "a file in the way")
	assert.Equal(t, again, h.flush(store, chunk, 1, 1))
	require.NoError(t, os.Remove(filepath.Join(dir, "Panoptica")))
	assert.Equal(t, once, h.flush(store, chunk, 1, 1))
	tree, err := fluentbit.Tree(dir)
	require.NoError(t, err)
	assert.Len(t, tree, 1)
	assert.Equal(t, "exit 1", h.exit(store))

	nowhere, answer := h.init(map[string]string{"output": "directory", "directory": "/dev/null/x"})
	require.Equal(t, "init 1", answer, "a directory may come later")
	assert.Equal(t, again, h.flush(nowhere, chunk, 1, 1))
	assert.Equal(t, "exit 1", h.exit(nowhere))

	silent := deafListener(t)
	held, answer := h.init(map[string]string{
		"output": "s3", "bucket": "acme-siem", "region": "us-east-1", "endpoint": "http://" + silent, "force_path_style": "on", "timeout": "1s",
	})
	require.Equal(t, "init 1", answer)
	started := time.Now()
	assert.Equal(t, again, h.flush(held, chunk, 1, 1))
	assert.Less(t, time.Since(started), arriveTimeout/2)
	assert.Equal(t, "exit 1", h.exit(held))
	for _, line := range h.log {
		assert.NotContains(t, line, "panic")
	}
}

// TestPluginToS3: a real S3 server takes each object once, also when a chunk comes again.
func TestPluginToS3(t *testing.T) {
	server := peers.StartS3(t)
	server.CreateBucket(t, "siem")
	h := startHost(t)
	id, answer := h.init(map[string]string{
		"output": "s3", "bucket": "siem", "endpoint": server.Endpoint, "region": server.Region, "force_path_style": "true", "compression": "gzip",
		"test_message": "on_start",
	})
	require.Equal(t, "init 1", answer)
	chunk := msgpack.AppendRaw(nil, time.Unix(1700000000, 0), "log", `{"alert_id":"f-1"}`)
	chunk = msgpack.AppendRaw(chunk, time.Unix(1700000000, 0), "log", `{"alert_id":"f-2","account_id":"a"}`)
	assert.Equal(t, "flush error=0 ok=6 retry=0 other=0", h.flush(id, chunk, 2, 3))
	var keys []string
	for key := range server.Objects(t, "siem") {
		keys = append(keys, strings.Split(key, "/")[1])
	}
	assert.ElementsMatch(t, []string{"other", "other", "test"}, keys)
	assert.Equal(t, "exit 1", h.exit(id))
}

// TestPluginLeaksNothing: instances that come and go, as at a hot reload, leave no file, connection or thread behind.
func TestPluginLeaksNothing(t *testing.T) {
	h := startHost(t)
	dir := t.TempDir()
	address, _ := lineListener(t)
	chunk := msgpack.AppendRaw(nil, time.Now(), "log", `{"alert_id":"f-1"}`)
	round := func() {
		for _, keys := range []map[string]string{
			{"output": "directory", "directory": dir},
			{"output": "syslog", "endpoint": address, "tls_insecure": "on", "framing": "newline"},
			{"output": "s3", "bucket": "acme-siem", "region": "us-east-1", "endpoint": "http://127.0.0.1:1"},
		} {
			id, answer := h.init(keys)
			require.Equal(t, "init 1", answer)
			if keys["output"] != "s3" {
				require.Equal(t, once, h.flush(id, chunk, 1, 1))
			}
			require.Equal(t, "exit 1", h.exit(id))
		}
	}
	count := func(what string) int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", h.pid, what))
		require.NoError(t, err)
		return len(entries)
	}
	for range 10 { // threads and pools of the Go runtime
		round()
	}
	files, threads := count("fd"), count("task")
	const rounds = 60
	for range rounds {
		round()
	}
	waitFor(t, func() bool { return count("fd") <= files+2 }, func() string { return fmt.Sprintf("%d open files, %d before", count("fd"), files) })
	// The Go runtime keeps each thread that it once needed, and may need more while the machine is busy.
	assert.Less(t, count("task"), threads+rounds/2)
}

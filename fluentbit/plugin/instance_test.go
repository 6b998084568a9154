package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/test/fluentbit"
	"github.com/siempipe/siempipe/internal/test/msgpack"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// findings is a chunk of findings of n accounts, each with several records.
func findings(accounts, each int) (data []byte) {
	for i := range accounts * each {
		data = msgpack.AppendRaw(data, at.Add(time.Duration(i)*time.Millisecond), "log",
			fmt.Sprintf(`{"alert_id":"f-%d","account_id":"%d","detection_timestamp":"2026-11-20T10:00:00Z"}`, i, i%accounts))
	}
	return data
}

// fakeStore is a Store that answers as it is told.
type fakeStore struct {
	mu    sync.Mutex
	put   map[string]string
	tries int
	// answer is asked at each Put; nil takes everything.
	answer func(ctx context.Context, try int, o objectstore.Object) error
}

func (s *fakeStore) Put(ctx context.Context, o objectstore.Object) (bool, error) {
	s.mu.Lock()
	try := s.tries
	s.tries++
	s.mu.Unlock()
	if s.answer != nil {
		if err := s.answer(ctx, try, o); err != nil {
			return false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.put == nil {
		s.put = make(map[string]string)
	}
	_, existed := s.put[o.Key]
	s.put[o.Key] = string(o.Content)
	return existed, nil
}

// onStore is an instance whose objects go to a fake.
func onStore(t testing.TB, store *fakeStore, k keys) (*Instance, *lines) {
	t.Helper()
	i, log := instance(t, k.with(keys{"output": "directory", "directory": t.TempDir()}))
	require.NoError(t, i.sink.close())
	var err error
	i.sink, err = newStoreSink(i.cfg, store, "fake")
	require.NoError(t, err)
	return i, log
}

var (
	errAway    = &objectstore.Error{Err: errors.New("away")}
	errTooLong = &objectstore.Error{Err: errors.New("key too long"), Permanent: true}
)

// TestRetryMakesTheSameObjects: what one try did not store the next does, under the key it would have had, and nothing is
// stored again.
func TestRetryMakesTheSameObjects(t *testing.T) {
	want := &fakeStore{}
	i, _ := onStore(t, want, keys{})
	require.Equal(t, OK, i.Flush("tag", findings(10, 3)))
	require.Len(t, want.put, 10)

	store := &fakeStore{answer: func(_ context.Context, try int, _ objectstore.Object) error {
		if try%3 == 0 {
			return errAway
		}
		return nil
	}}
	i, log := onStore(t, store, keys{})
	assert.Equal(t, Retry, i.Flush("tag", findings(10, 3)))
	assert.Contains(t, log.String(), "2 [output:siempipe] tag: chunk with 30 records not delivered to fake and to be retried: put Panoptica/other/2026-11-20/")
	for range 4 {
		if i.Flush("tag", findings(10, 3)) == OK {
			break
		}
	}
	assert.Equal(t, want.put, store.put)
	assert.Equal(t, 10, store.tries-strings.Count(log.String(), "away"), "each object was stored once")
	assert.Empty(t, i.retries.known, "nothing is remembered of what is done")
}

// TestRetryKeepsTheDecisions: a snooze that ends and a suppression that comes between two tries change nothing, nor does
// the day of the export.
func TestRetryKeepsTheDecisions(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(rules, []byte("suppressions: []"), 0o600))
	now := time.Date(2126, 11, 20, 23, 59, 59, 0, time.UTC) // later than any run of this test
	fail := true
	store := &fakeStore{answer: func(context.Context, int, objectstore.Object) error {
		if fail {
			return errAway
		}
		return nil
	}}
	i, log := onStore(t, store, keys{"suppressions_file": rules, "partition_time": "export"})
	i.now = func() time.Time { return now }
	data := msgpack.AppendRaw(nil, time.Unix(0, 0), "log", `{"alert_id":"f-1"}`)
	data = msgpack.AppendRaw(data, at, "log", `{"alert_id":"f-2","snoozed_until":"2126-11-21T00:00:00Z"}`)
	data = append(data, 0xc1)
	require.Equal(t, Retry, i.Flush("tag", data))

	require.NoError(t, os.WriteFile(rules, []byte("suppressions: [{name: all, reason: test, expires: never, match: {alert_id: {prefix: f}}}]"), 0o600))
	now = now.Add(time.Hour)
	fail = false
	require.Equal(t, OK, i.Flush("tag", data))
	assert.Equal(t, map[string]string{
		"Panoptica/other/2126-11-20/unknown/21261120T235959Z-" + hashOf(`{"alert_id":"f-1"}`) + ".json": `{"alert_id":"f-1"}` + "\n",
	}, without(store.put, "/invalid/"))
	assert.Contains(t, keysOf(store.put), "Panoptica/invalid/2126-11-20/unknown/20231114T221320Z-", "the time of the event before it")

	require.Equal(t, OK, i.Flush("tag", msgpack.AppendRaw(nil, at, "log", `{"alert_id":"f-3"}`)), "a new chunk has the new rules")
	assert.Len(t, without(store.put, "/invalid/"), 1)
	assert.Contains(t, log.String(), "3 [output:siempipe] suppressions changed: "+rules+": 1 rules")
}

func TestPermanentErrorGivesUp(t *testing.T) {
	store := &fakeStore{answer: func(context.Context, int, objectstore.Object) error { return errTooLong }}
	i, log := onStore(t, store, keys{})
	assert.Equal(t, GivenUp, i.Flush("tag", findings(2, 1)))
	assert.Contains(t, log.String(), "1 [output:siempipe] tag: chunk with 2 records given up: they are lost to fake: put ")

	store.answer = func(_ context.Context, try int, _ objectstore.Object) error {
		if try%2 == 0 {
			return errAway
		}
		return errTooLong
	}
	assert.Equal(t, Retry, i.Flush("tag", findings(2, 1)), "one of them can get better")
}

// TestHangingStore: a flush ends in its time even when the store heeds no limit.
func TestHangingStore(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	var awake atomic.Bool
	store := &fakeStore{answer: func(context.Context, int, objectstore.Object) error {
		if !awake.Load() {
			<-hang
		}
		return nil
	}}
	i, log := onStore(t, store, keys{"timeout": "1s"})
	started := time.Now()
	assert.Equal(t, Retry, i.Flush("tag", findings(6, 1)))
	assert.Less(t, time.Since(started), patience)
	assert.Contains(t, log.String(), "4 objects still being put after 2s")
	awake.Store(true)
	assert.Equal(t, OK, i.Flush("tag", findings(6, 1)))
	assert.Len(t, store.put, 6)
}

// TestHeedfulStore: a store that heeds the limit is waited for, and what was not begun is said.
func TestHeedfulStore(t *testing.T) {
	store := &fakeStore{answer: func(ctx context.Context, _ int, _ objectstore.Object) error {
		<-ctx.Done()
		return &objectstore.Error{Err: ctx.Err()}
	}}
	i, log := onStore(t, store, keys{"timeout": "2s"})
	assert.Equal(t, Retry, i.Flush("tag", findings(6, 1)))
	assert.Contains(t, log.String(), "2 objects not tried: context deadline exceeded")
}

// panicky is a sink, and a processor, that panics.
type panicky struct{ *process.Processor }

func (panicky) deliver(context.Context, records, *attempt) (string, error) { panic("delivery") }
func (panicky) String() string                                             { return "panicky" }
func (panicky) close() error                                               { return nil }

func (p panicky) Start(t *process.Text) {
	if t.Broken == "" && strings.Contains(t.Raw, "boom") {
		panic("parser")
	}
	p.Processor.Start(t)
}

func TestPanicInDelivery(t *testing.T) {
	i, log := instance(t, keys{"output": "directory", "directory": t.TempDir()})
	i.sink = panicky{}
	assert.Equal(t, Retry, i.Flush("tag", findings(1, 1)))
	assert.Equal(t, Retry, i.Flush("tag", findings(1, 1)))
	assert.Equal(t, Retry, i.Flush("tag", findings(2, 1)), "another chunk")
	assert.Equal(t, GivenUp, i.Flush("tag", findings(1, 1)))
	assert.Contains(t, log.String(), "panic in a flush of ")
	assert.Contains(t, log.String(), "given up after 3 panics: its records are lost")
}

func TestPanicInAnUpload(t *testing.T) {
	store := &fakeStore{answer: func(_ context.Context, try int, _ objectstore.Object) error {
		if try == 0 {
			panic("upload")
		}
		return nil
	}}
	i, log := onStore(t, store, keys{})
	assert.Equal(t, Retry, i.Flush("tag", findings(1, 1)))
	assert.Contains(t, log.String(), "panic: upload")
	assert.Equal(t, OK, i.Flush("tag", findings(1, 1)))
}

// TestPanicInAParser: the record becomes invalid, and its neighbours arrive.
func TestPanicInAParser(t *testing.T) {
	store := &fakeStore{}
	i, log := onStore(t, store, keys{})
	w := i.workers.New().(*worker)
	w.processor = panicky{w.processor.(*process.Processor)}
	i.workers = sync.Pool{New: func() any { return w }} // without the one that is made at start
	var data []byte
	for _, line := range []string{`{"alert_id":"1"}`, "boom 1", "boom 2", `{"alert_id":"2"}`, "boom 3"} {
		data = msgpack.AppendRaw(data, at, "log", line)
	}
	assert.Equal(t, OK, i.Flush("tag", data))
	all := fmt.Sprint(store.put)
	for _, want := range []string{`{"alert_id":"1"}` + "\n" + `{"alert_id":"2"}`, `"raw":"boom 1"`, `"raw":"boom 2"`, `"raw":"boom 3"`, `{"error":"panic: parser","format":"auto"`} {
		assert.Contains(t, all, want)
	}
	assert.Contains(t, log.String(), "3 of 5 records kept as invalid, first: panic: parser")
}

// TestConcurrentFlushes: many flushes of one instance at the same time, with failures, lose and repeat nothing.
func TestConcurrentFlushes(t *testing.T) {
	var fail atomic.Int64
	store := &fakeStore{answer: func(context.Context, int, objectstore.Object) error {
		if fail.Add(1)%5 == 0 {
			return errAway
		}
		return nil
	}}
	i, _ := onStore(t, store, keys{})
	chunk := func(n int) (data []byte) {
		for j := range 20 {
			data = msgpack.AppendStructured(data, at, fmt.Sprintf(`{"alert_id":"%d-%d","account_id":"%d"}`, n, j, j%3))
		}
		return data
	}
	var wait sync.WaitGroup
	const flushes = 60
	for n := range flushes {
		wait.Go(func() {
			for data := chunk(n); i.Flush("tag", data) != OK; {
			}
		})
	}
	wait.Wait()
	seen := make(map[string]int)
	for _, content := range store.put {
		for line := range strings.Lines(content) {
			seen[line]++
		}
	}
	assert.Len(t, seen, flushes*20)
	for line, n := range seen {
		assert.Equal(t, 1, n, line)
	}
}

// TestSyslogResumes: after a failure only what was not sent goes out again, and a SIEM that is away for long costs nothing.
func TestSyslogResumes(t *testing.T) {
	address := peers.FreeAddress(t) // which nobody else gets
	i, log := instance(t, keys{"output": "syslog", "endpoint": address, "tls_insecure": "yes", "framing": "newline", "timeout": "30s"})
	data := findings(3, 4)
	assert.Equal(t, Retry, i.Flush("tag", data))
	assert.Contains(t, log.String(), "chunk with 12 records not delivered to syslog tcp "+address+" and to be retried: ")
	assert.Contains(t, log.String(), "connection refused")

	received := serve(peers.Listen(t, address))
	assert.Equal(t, OK, i.Flush("tag", data))
	got := take(received, 12)
	require.Len(t, got, 12)
	for n, line := range got {
		assert.Contains(t, line, fmt.Sprintf("|Alert ID:f-%d|", n))
	}
}

// TestSyslogSendsWhatIsLeft: of a chunk of which some is known to be sent only the rest is.
func TestSyslogSendsWhatIsLeft(t *testing.T) {
	address, received := listen(t)
	i, _ := instance(t, keys{"output": "syslog", "endpoint": address, "tls_insecure": "yes", "framing": "newline"})
	data := findings(1, 4)
	i.retries.keep(data, &attempt{at: at, done: []bool{true, false, true, false}})
	assert.Equal(t, OK, i.Flush("tag", data))
	got := take(received, 2)
	require.Len(t, got, 2)
	assert.Contains(t, got[0], "f-1")
	assert.Contains(t, got[1], "f-3")
}

// TestSyslogPeerThatDoesNotRead: the flush ends in its time.
func TestSyslogPeerThatDoesNotRead(t *testing.T) {
	l := peers.Listen(t, "127.0.0.1:0")
	i, log := instance(t, keys{"output": "syslog", "endpoint": l.Addr().String(), "tls_insecure": "yes", "timeout": "500ms", "max_message_length": "1048576", "include_invalid": "yes"})
	var data []byte
	for range 40 {
		data = msgpack.AppendRaw(data, at, "log", strings.Repeat("x", 500_000))
	}
	started := time.Now()
	assert.Equal(t, Retry, i.Flush("tag", data))
	assert.Less(t, time.Since(started), patience)
	assert.Contains(t, log.String(), "not delivered to syslog tcp")
}

func TestDropsAreSaid(t *testing.T) {
	address, received := listen(t)
	i, log := instance(t, keys{"output": "syslog", "endpoint": address, "tls_insecure": "yes", "framing": "newline", "overflow": "drop", "on_invalid": "drop"})
	data := msgpack.AppendRaw(nil, at, "log", `{"alert_id":"`+strings.Repeat("x", 2000)+`"}`)
	for _, line := range []string{"no record", " \t", `{"alert_id":"gone","dismissed":true}`, `{"alert_id":"there"}`} {
		data = msgpack.AppendRaw(data, at, "log", line)
	}
	assert.Equal(t, OK, i.Flush("tag", data))
	assert.Contains(t, strings.Join(take(received, 1), ""), "Alert ID:there")
	for _, want := range []string{
		"2 [output:siempipe] tag: 1 of 5 records dropped as invalid, first: neither a JSON object nor a line of a known format",
		"4 [output:siempipe] tag: 5 records, dropped: dismissed=1 empty=1 invalid=1",
		"2 [output:siempipe] tag: records were not sent: too_long=1 not_json=0 empty=0, first: message is too long",
	} {
		assert.Contains(t, log.String(), want)
	}
}

// TestInvalidIsNotSent: over syslog an invalid record is kept nowhere unless it is sent.
func TestInvalidIsNotSent(t *testing.T) {
	address, received := listen(t)
	for setting, want := range map[string]string{"off": "1 of 1 records not sent, since they are invalid and include_invalid is off, first: ", "on": "1 of 1 records kept as invalid, first: "} {
		i, log := instance(t, keys{"output": "syslog", "endpoint": address, "tls_insecure": "yes", "framing": "newline", "include_invalid": setting})
		assert.Equal(t, OK, i.Flush("tag", msgpack.AppendRaw(nil, at, "log", "no record")))
		assert.Contains(t, log.String(), want)
	}
	assert.Contains(t, strings.Join(take(received, 1), ""), "Raw:no record")
}

// TestEmptyChunk: a chunk of which nothing goes on is delivered.
func TestEmptyChunk(t *testing.T) {
	store := &fakeStore{answer: func(context.Context, int, objectstore.Object) error { return errAway }}
	i, _ := onStore(t, store, keys{})
	assert.Equal(t, OK, i.Flush("tag", nil))
	assert.Equal(t, OK, i.Flush("tag", msgpack.AppendRaw(nil, at, "log", "")))
	assert.Zero(t, store.tries)
}

func TestTestMessage(t *testing.T) {
	dir := t.TempDir()
	_, log := instance(t, keys{"output": "directory", "directory": dir, "test_message": "on_start", "root": "Evidence"})
	assert.Contains(t, log.String(), "3 [output:siempipe] test message stored: Evidence/test/")
	tree, err := fluentbit.Tree(dir)
	require.NoError(t, err)
	assert.Len(t, tree, 1)
}

func TestRetriesAreBounded(t *testing.T) {
	r := newRetries()
	for n := range maxAttempts + 10 {
		r.keep(fmt.Append(nil, n), &attempt{at: at.Add(time.Duration(n) * time.Second)})
	}
	assert.Len(t, r.known, maxAttempts)
	assert.Nil(t, r.take([]byte("9")), "the oldest go")
	assert.NotNil(t, r.take([]byte("10")))
	assert.Nil(t, r.take([]byte("10")), "taken once")
}

// hashOf is the hash in the key of an object of one line.
func hashOf(line string) string {
	o, _ := objectstore.NewObject("", objectstore.Partition{}, time.Time{}, []byte(line+"\n"), objectstore.None)
	return strings.TrimSuffix(o.Key[strings.LastIndex(o.Key, "-")+1:], ".json")
}

func keysOf(put map[string]string) string {
	var all []string
	for key := range put {
		all = append(all, key)
	}
	return strings.Join(all, "\n")
}

func without(put map[string]string, part string) map[string]string {
	rest := make(map[string]string)
	for key, content := range put {
		if !strings.Contains(key, part) {
			rest[key] = content
		}
	}
	return rest
}

// TestNothingIsHeldOfAChunk: the host uses the memory of a chunk again, at the same address. A parser that held on to the
// header line of the last record would take the next one's for the same.
func TestNothingIsHeldOfAChunk(t *testing.T) {
	event := func(fields string) (data []byte) {
		data = []byte{0x92, 0x92, 0xce, 0x65, 0x53, 0xf1, 0x00, 0x81}
		data = msgpack.AppendString(msgpack.AppendString(data, "siem.fields"), fields)
		return msgpack.AppendString(msgpack.AppendString(append(data, 0x81), "log"), "3 123456789012 10.0.0.1 10.0.0.2 1566848875 1566848933 OK")
	}
	store := &fakeStore{}
	i, _ := onStore(t, store, keys{"format": "aws.vpc_flow"})
	w := i.workers.Get().(*worker)
	memory := event("version account-id srcaddr dstaddr start end log-status")
	a := &attempt{at: at}
	w.run(memory, a)
	require.Len(t, w.recs, 1)
	assert.Contains(t, w.recs[0].Body, `"srcAddr":"10.0.0.1"`)
	copy(memory, event("version account-id dstaddr srcaddr start end log-status"))
	w.run(memory, a)
	require.Len(t, w.recs, 1)
	assert.Contains(t, w.recs[0].Body, `"srcAddr":"10.0.0.2"`)
}

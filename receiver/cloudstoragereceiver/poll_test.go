package cloudstoragereceiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/collector/buckets"
	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// s3Peer is a strict S3 server with one bucket.
type s3Peer struct {
	*peers.S3
	t      *testing.T
	bucket string
	client *s3.Client
}

func startS3(t *testing.T) *s3Peer {
	p := &s3Peer{S3: peers.StartS3(t), t: t, bucket: "logs"}
	p.CreateBucket(t, p.bucket)
	p.client = p.Client()
	return p
}

func (p *s3Peer) put(key, content string) {
	p.t.Helper()
	_, err := p.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &p.bucket, Key: &key, Body: strings.NewReader(content)})
	require.NoError(p.t, err)
}

// config lists every second.
func (p *s3Peer) config(c *Config) {
	c.S3 = optional(S3Config{Bucket: p.bucket, Region: p.Region, Endpoint: p.Endpoint, ForcePathStyle: true})
	c.Poll = optional(PollConfig{Interval: time.Second, Overlap: time.Hour})
}

// idle waits until a listing has ended that began after now.
func (r *running) idle(t *testing.T) {
	t.Helper()
	ended := func() int64 { return r.totals.listings.Load() }
	before := ended()
	eventually(t, func() bool { return ended() >= before+2 }, func() string { return "no listing ends" })
}

func TestPoll(t *testing.T) {
	p := startS3(t)
	var want []string
	add := func(key string, n int, pack func(string) string) {
		text, records := lines(key, n)
		p.put(key, pack(text))
		want = append(want, records...)
	}
	plain := func(s string) string { return s }
	for _, key := range []string{"AWSLogs/1/é.json", "AWSLogs/1/a b+c%2B.json", "AWSLogs/1/a&b<c>.json"} {
		add(key, 2, plain)
	}
	add("AWSLogs/1/large.json.gz", 2500, gz)
	p.put("other/x.json", `{"alert_id":"not under the prefix","detection_type":"other"}`)
	dir, s := t.TempDir(), newSink()
	config := func(c *Config) { p.config(c); c.S3.Get().Prefix = "AWSLogs/" }
	r := start(t, dir, s, config)
	s.waitFor(t, len(want))
	r.idle(t)
	once(t, s, want)

	// Before the last key and behind it, both are new.
	add("AWSLogs/0/new.json", 2, plain)
	add("AWSLogs/2/new.json", 2, plain)
	s.waitFor(t, len(want))
	r.halt(false)
	// New content under an old key, while nobody looks.
	add("AWSLogs/3/new.json", 2, plain)
	text, records := lines("again", 3)
	p.put("AWSLogs/0/new.json", text)
	want = append(want, records...)
	r = start(t, dir, s, config)
	s.waitFor(t, len(want))
	r.idle(t)
	once(t, s, want)
	assert.Equal(t, 2, r.counts(t, "objects", "outcome")["read"], "after the restart only what is new was read")

	// How far it is stands in the log.
	eventually(t, func() bool { return r.logs.FilterMessage("Progress").Len() > 0 }, func() string { return "no line about progress" })
	fields := r.logs.FilterMessage("Progress").All()[0].ContextMap()
	assert.EqualValues(t, 5, fields["records"])
	assert.EqualValues(t, 2, fields["objects"])
	assert.Positive(t, fields["bytes"])
	assert.Contains(t, fields, "lag")
	assert.Contains(t, fields, "objects_per_second")
	assert.Equal(t, "AWSLogs/3/new.json", fields["position"])
}

// TestPollStartTime leaves out what was written before.
func TestPollStartTime(t *testing.T) {
	p := startS3(t)
	old, _ := lines("old", 2)
	p.put("old.json", old)
	time.Sleep(2100 * time.Millisecond)                          // dates are in whole seconds
	border := time.Now().Truncate(time.Second).Add(-time.Second) // the system dates files up to some milliseconds back
	text, want := lines("new", 2)
	p.put("new.json", text)
	s := newSink()
	r := start(t, t.TempDir(), s, func(c *Config) { p.config(c); c.Poll.Get().StartTime = border })
	s.waitFor(t, 2)
	r.idle(t)
	once(t, s, want)
}

// TestPollScope: a checkpoint hides nothing that was not asked for when it was made.
func TestPollScope(t *testing.T) {
	p := startS3(t)
	a, want := lines("a", 2)
	p.put("a/1.json", a)
	b, more := lines("b", 2)
	p.put("b/1.json", b)
	dir := t.TempDir()
	run := func(change func(*Config), want []string) {
		t.Helper()
		s := newSink()
		r := start(t, dir, s, func(c *Config) {
			p.config(c)
			c.Poll.Get().Overlap = 2 * time.Second
			change(c)
		})
		s.waitFor(t, len(want))
		r.idle(t)
		once(t, s, want)
		time.Sleep(3 * time.Second) // the watermark passes both
		r.idle(t)
		r.halt(false)
	}
	tomorrow := time.Now().Add(24 * time.Hour)
	run(func(c *Config) { c.S3.Get().Prefix = "a/" }, want)
	run(func(c *Config) { c.S3.Get().Prefix = "a/" }, nil)
	run(func(*Config) {}, append(want, more...))
	run(func(c *Config) { c.Poll.Get().StartTime = tomorrow }, nil)
	run(func(*Config) {}, append(want, more...)) // what came meanwhile was left out, and nobody knows what that was
}

// TestPollKilled: killed in the middle of a backfill of several pages, without a word to the storage since its last write,
// the receiver goes on where that was. Nothing is lost, and what comes twice is counted.
func TestPollKilled(t *testing.T) {
	p := startS3(t)
	const objects, records = 2300, 2
	var want []string
	texts := make([]string, objects)
	for i := range objects {
		text, more := lines(fmt.Sprintf("%04d", i), records)
		texts[i], want = text, append(want, more...)
	}
	several(objects, func(i int) { p.put(fmt.Sprintf("%04d.json", i), texts[i]) })
	dir, s := t.TempDir(), newSink()
	slow := &slowly{sink: s, pause: 2 * time.Millisecond}
	for life := 1; life <= 5; life++ {
		r := start(t, dir, slow, p.config)
		s.waitFor(t, life*len(want)/7)
		r.halt(true)
	}
	before, _ := s.total()
	r := start(t, dir, slow, p.config)
	s.waitFor(t, len(want))
	r.idle(t)
	total, distinct := s.total()
	assert.Equal(t, len(want), distinct)
	t.Logf("%d records, %d of them twice; %d before the last life", distinct, total-distinct, before)
	assert.Less(t, total-distinct, len(want)/2, "the checkpoint spares most of it")
	again := r.counts(t, "objects", "outcome")["read"]
	assert.Less(t, again, objects, "the last life did not read everything")
}

// TestScanEnvelopes: the records of a scan's envelope say whose they are, and its end is an event with what all of it said, also
// where it holds no records or breaks off.
func TestScanEnvelopes(t *testing.T) {
	p := startS3(t)
	_, records := lines("f", 1003)
	p.put("empty.json", `{"scan_id":"s-1","status":"failed","findings":[]}`)
	p.put("late.json", `{"scan_id":"s-2","findings":[`+strings.Join(records[:1002], ",")+`],"status":"completed"}`)
	p.put("torn.json.gz", gz(`{"scan_id":"s-3","status":"completed","findings":[`+records[1002]+","))
	s := newSink()
	s.refuse = func(batch int) error {
		if batch == 1 || batch == 3 { // batches are offered again with their events
			return errors.New("busy")
		}
		return nil
	}
	r := start(t, t.TempDir(), s, p.config)
	s.waitFor(t, len(records)+3)
	r.idle(t)
	events := []string{`{"scan_id":"s-1","status":"failed"}`, `{"scan_id":"s-2","status":"completed"}`, `{"scan_id":"s-3","status":"incomplete"}`}
	once(t, s, append(events, records...))
	for i, status := range []string{"failed", "completed", "incomplete"} {
		assert.Equal(t, map[string]any{"siem.event_type": "scan", "siem.scan_id": fmt.Sprintf("s-%d", i+1), "siem.scan_status": status}, s.attributes(events[i]))
	}
	assert.Equal(t, "s-2", s.attributes(records[0])["siem.scan_id"])
	assert.Equal(t, int64(len(records)), r.totals.records.Load(), "events are no records")
}

// TestOnlyScanEnds: an object of nothing but empty envelopes is delivered in batches too.
func TestOnlyScanEnds(t *testing.T) {
	p := startS3(t)
	var text strings.Builder
	for i := range 2 * maxBatchRecords {
		fmt.Fprintf(&text, `{"scan_id":%d,"findings":[]}`+"\n", i)
	}
	p.put("empty.json", text.String())
	s := newSink()
	r := start(t, t.TempDir(), s, p.config)
	s.waitFor(t, 2*maxBatchRecords)
	r.idle(t)
	assert.Equal(t, 2, s.batches)
}

// TestBytesOfNothing: the bytes of an object count once, also where it unpacks to nothing.
func TestBytesOfNothing(t *testing.T) {
	p := startS3(t)
	empty := gz("")
	p.put("empty.json.gz", empty)
	r := start(t, t.TempDir(), newSink(), p.config)
	eventually(t, func() bool { return r.counts(t, "objects", "outcome")["read"] == 1 }, func() string {
		return fmt.Sprint(r.counts(t, "objects", "outcome"))
	})
	r.idle(t)
	assert.Equal(t, int64(len(empty)), r.totals.bytes.Load())
}

// TestPollBroken: objects that cannot be read hold nothing up and end as one invalid record each.
func TestPollBroken(t *testing.T) {
	p := startS3(t)
	text, want := lines("good", 3)
	p.put("a.json.gz", gz(text)[:20])
	p.put("b.json", text)
	p.put("c.json.zst", zst(strings.Repeat("x", 1<<20)))
	s := newSink()
	r := start(t, t.TempDir(), s, func(c *Config) { p.config(c); c.MaxTries = 2; c.MaxUnpackedSize = 1 << 16 })
	eventually(t, func() bool { return len(s.got()) >= 3 && r.counts(t, "objects", "outcome")["broken"] == 4 }, func() string {
		return fmt.Sprint(s.got(), r.counts(t, "objects", "outcome"))
	})
	r.idle(t)
	got := s.got()
	for _, record := range want {
		assert.Equal(t, 1, got[record])
		delete(got, record)
	}
	reasons := ""
	for body := range got {
		reasons += body + "\n"
	}
	assert.Contains(t, reasons, "s3://logs/a.json.gz")
	assert.Contains(t, reasons, "ends too early")
	assert.Contains(t, reasons, "max_unpacked_size")
	assert.Equal(t, map[string]int{"broken": 4, "read": 1}, r.counts(t, "objects", "outcome"), "they are given up for good")
}

// TestForbiddenAndMissing: 403 is not 404. With a server that checks rights, a user who has none waits and loses nothing;
// once the rights are there all comes.
func TestForbiddenAndMissing(t *testing.T) {
	p := startS3(t)
	text, want := lines("a", 2)
	p.put("a.json", text)
	p.command("create-user", "-a", "reader", "-s", "reader-secret", "-r", "user")
	t.Setenv("AWS_ACCESS_KEY_ID", "reader")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "reader-secret")
	s := newSink()
	r := start(t, t.TempDir(), s, func(c *Config) { p.config(c); c.MaxTries = 1 })
	eventually(t, func() bool { r.status.mu.Lock(); defer r.status.mu.Unlock(); return r.status.failing }, func() string { return "no failure" })
	time.Sleep(2 * time.Second)
	assert.Empty(t, s.got(), "a refusal of everything is not given up")

	list := `{"Effect":"Allow","Principal":{"AWS":["reader"]},"Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::logs"]}`
	p.policy(list)
	eventually(t, func() bool { return r.counts(t, "objects", "outcome")["forbidden"] > 1 }, func() string { return fmt.Sprint(r.counts(t, "objects", "outcome")) })
	assert.Empty(t, s.got())
	get := `{"Effect":"Allow","Principal":{"AWS":["reader"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::logs/*"]}`
	p.policy(list, get)
	s.waitFor(t, len(want))
	r.idle(t)
	once(t, s, want)

	// One object alone that is refused, while others are read, is its own fault.
	p.policy(list, get, `{"Effect":"Deny","Principal":{"AWS":["reader"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::logs/secret.json"]}`)
	p.put("secret.json", text)
	s.waitFor(t, len(want)+1)
	r.idle(t)
	for _, record := range want {
		delete(s.bodies, record)
	}
	for body := range s.got() {
		assert.Contains(t, body, "forbidden (allow s3:GetObject")
		assert.Contains(t, body, "secret.json")
	}
}

// command runs an administrator's command of the server.
func (p *s3Peer) command(args ...string) {
	p.t.Helper()
	binary := peers.Tool(p.t, "versitygw", "github.com/versity/versitygw/cmd/versitygw")
	cmd := exec.Command(binary, append([]string{"admin", "-a", p.AccessKey, "-s", p.SecretKey, "-er", p.Endpoint, "--region", p.Region}, args...)...)
	cmd.Env = os.Environ()
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, string(out))
}

func (p *s3Peer) policy(statements ...string) {
	p.t.Helper()
	policy := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	_, err := p.client.PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: &p.bucket, Policy: &policy})
	require.NoError(p.t, err)
}

// TestLoop: what this collector writes is not read by it.
func TestLoop(t *testing.T) {
	p := startS3(t)
	release := buckets.Written.Claim(objectstore.Destination{Endpoint: p.Endpoint, Bucket: p.bucket, Root: "Panoptica"})
	defer release()
	text, want := lines("input", 2)
	p.put("input.json", text)
	p.put("Panoptica/other/x.json", `{"alert_id":"own","detection_type":"other"}`)
	p.put("PanopticaNot/x.json", `{"alert_id":"not own","detection_type":"other"}`)
	want = append(want, `{"alert_id":"not own","detection_type":"other"}`)
	s := newSink()
	r := start(t, t.TempDir(), s, p.config)
	s.waitFor(t, len(want))
	r.idle(t)
	once(t, s, want)

	for _, prefix := range []string{"Panoptica/", "Panoptica/other/"} {
		_, err := tryStart(t, t.TempDir(), s, func(c *Config) { p.config(c); c.S3.Get().Prefix = prefix })
		require.ErrorContains(t, err, "this collector itself writes to logs/Panoptica")
	}
	whole := buckets.Written.Claim(objectstore.Destination{Endpoint: strings.ToUpper(p.Endpoint) + "/", Bucket: p.bucket})
	defer whole()
	_, err := tryStart(t, t.TempDir(), s, p.config)
	require.ErrorContains(t, err, "this collector itself writes to logs/")
}

// TestOutage: while the store is away, messages are kept on lease and are not tries; nothing is given up.
func TestOutage(t *testing.T) {
	p := startS3(t)
	m := peers.StartMoto(t)
	queue, _, dead := m.CreateQueue(t, "objects", "1") // a second receive would put the message away
	text, want := lines("a", 3)
	p.put("a.json", text)
	// Between the receiver and the store stands a proxy that is not there at first.
	address := peers.FreeAddress(t)
	s := newSink()
	r := start(t, "", s, func(c *Config) {
		c.S3 = optional(S3Config{Bucket: p.bucket, Region: p.Region, Endpoint: "http://" + address, ForcePathStyle: true})
		c.Notifications.SQS = optional(SQSConfig{QueueURL: queue, Region: m.Region, Endpoint: m.Endpoint, VisibilityTimeout: 10 * time.Second})
		c.MaxTries = 1
	})
	peer := &awsPeer{Moto: m, t: t, bucket: p.bucket, queue: queue}
	peer.send(peer.trailMessage("a.json"))
	eventually(t, func() bool { return r.counts(t, "objects", "outcome")["unavailable"] > 1 }, func() string { return "not tried" })
	time.Sleep(11 * time.Second) // longer than the lease
	assert.Empty(t, s.got())
	forward(t, address, strings.TrimPrefix(p.Endpoint, "http://"))
	s.waitFor(t, len(want))
	peer.empty()
	once(t, s, want)
	assert.Zero(t, m.Waiting(t, dead))
}

// forward passes connections to address on to another, until the test ends.
func forward(t *testing.T, address, to string) {
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				peer, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer peer.Close()
				go func() { _, _ = io.Copy(peer, conn) }()
				_, _ = io.Copy(conn, peer)
			}()
		}
	}()
}

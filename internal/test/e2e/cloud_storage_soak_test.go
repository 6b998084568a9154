package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// soakObjects is how many objects TestCloudStorageKilled writes; the environment may ask for more.
const (
	soakObjects = 1000
	soakEnv     = "SIEMPIPE_SOAK_OBJECTS"
	soakRecords = 5 // of each object
)

// soakFormat makes objects of one format, each record with a mark of its own.
type soakFormat struct {
	name      string
	eventType string
	head      string
	record    func(mark string) string
	between   string
	tail      string
	pack      func(string) string
}

func soakFormats(t *testing.T) []soakFormat {
	t.Helper()
	corpus := func(path, old, new string) func(string) string {
		text, err := os.ReadFile(filepath.Join("../../../testdata", path))
		require.NoError(t, err)
		line := strings.TrimSpace(string(text))
		require.Contains(t, line, old, path)
		return func(mark string) string { return strings.ReplaceAll(line, old, strings.ReplaceAll(new, "MARK", mark)) }
	}
	plain := func(s string) string { return s }
	return []soakFormat{
		{"cloudtrail", "AWS.CloudTrail", `{"Records":[`, func(mark string) string {
			return `{"eventVersion":"1.09","userIdentity":{"type":"Root","accountId":"111122223333"},"eventTime":"2026-05-01T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.1","eventID":"` + mark + `","eventType":"AwsApiCall"}`
		}, ",", `]}`, gzipped},
		{"vpcflow", "AWS.VPCFlow", "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n", func(mark string) string {
			return "2 123456789010 eni-" + mark + " 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"
		}, "\n", "\n", gzipped},
		{"alb", "AWS.ALB", "", corpus("aws.alb/https.in", "curl/7.46.0", "MARK"), "\n", "\n", gzipped},
		{"s3access", "AWS.S3ServerAccess", "", corpus("aws.s3_server_access/anonymous.in", "3E57427F3EXAMPLE", "MARK"), "\n", "\n", plain},
		{"vpcdns", "AWS.VPCDns", "", corpus("aws.vpc_dns/a.in", "www.example.com.", "MARK.example.com."), "\n", "\n", zstded},
		{"guardduty", "AWS.GuardDuty", "", corpus("aws.guardduty/access_key_medium.in", "44b7c4e9781822beb75d3fbd518abf5b", "MARK"), "\n", "\n", gzipped},
		{"gcpaudit", "GCP.AuditLog", "", corpus("gcp.audit/billing_account.in", "google-cloud-sdk", "MARK"), "\n", "", plain},
		{"azuresignin", "Azure.SignIn", `{"records":[`, corpus("azure.signin/adfs.in", "a75a10bd-c126-486b-9742-c03110d36262", "MARK"), ",\n", `]}`, plain},
		{"findings", record.SecurityFinding, "", func(mark string) string {
			return `{"alert_id":"` + mark + `","detection_type":"security_finding"}`
		}, "\n", "\n", plain},
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func zstded(text string) string {
	w, _ := zstd.NewWriter(nil)
	defer w.Close()
	return string(w.EncodeAll([]byte(text), nil))
}

// soakObject is one object, with the marks of its records that must come out, by event type, or the name that must when it
// cannot be read.
type soakObject struct {
	key, content string
	marks        map[string]string // mark → event type
	invalid      bool              // an invalid record names the key
	removed      bool              // before anybody reads it
}

// soakOf makes the n-th object: every fiftieth is broken, in four ways.
func soakOf(formats []soakFormat, n int) soakObject {
	f := &formats[n%len(formats)]
	o := soakObject{key: fmt.Sprintf("logs/%s/%06d+a b.log", f.name, n), marks: map[string]string{}}
	var records []string
	for i := range soakRecords {
		mark := fmt.Sprintf("soak-%06d-%d", n, i)
		records = append(records, f.record(mark))
		o.marks[mark] = f.eventType
	}
	text := f.head + strings.Join(records, f.between) + f.tail
	o.content = f.pack(text)
	if n%50 != 7 {
		return o
	}
	switch n / 50 % 4 {
	case 0: // a stream that breaks off: nothing of it can be unpacked for certain
		o.content, o.marks, o.invalid = gzipped(text)[:25], nil, true
	case 1: // gone before it is read
		o.marks, o.invalid, o.removed = nil, true, true
	case 2: // records that none of the formats is
		mark := fmt.Sprintf("soak-%06d-9", n)
		o.content, o.marks = "this is no record: "+mark+"\n", map[string]string{mark: record.Invalid}
	case 3: // a whole object behind whose records there is a broken one
		mark := fmt.Sprintf("soak-%06d-9", n)
		o.content = `{"alert_id":"soak-` + fmt.Sprintf("%06d", n) + `-0","detection_type":"security_finding"}` + "\n" + `{"alert_id":"` + mark + `",` + "\n"
		o.marks = map[string]string{fmt.Sprintf("soak-%06d-0", n): record.SecurityFinding, mark: record.Invalid}
	}
	return o
}

// soakCollector is one of the collectors at the queue. It keeps its state over its lives.
type soakCollector struct {
	t      *testing.T
	name   string
	config string
	out    string
	log    *safeBuffer
	*harness.Collector
}

func newSoakCollector(t *testing.T, store *peers.S3, peer *peers.Moto, name, bucket, queue string) *soakCollector {
	t.Helper()
	dir := t.TempDir()
	c := &soakCollector{t: t, name: name, config: filepath.Join(dir, "config.yaml"), out: filepath.Join(dir, "out"), log: &safeBuffer{}}
	config := fmt.Sprintf(`
receivers:
  cloud_storage:
    s3: {bucket: %s, prefix: logs/, region: %s, endpoint: %s, force_path_style: true}
    notifications:
      sqs: {queue_url: "%s", endpoint: %s, visibility_timeout: 8s}
    storage: file_storage
    concurrency: 8
    max_tries: 3
    retry_delay: 1s
processors:
  siem:
exporters:
  panoptica_s3:
    directory: %s
    sending_queue: {storage: file_storage, batch: {flush_timeout: 500ms}}
extensions:
  file_storage: {directory: %s, create_directory: true}
service:
  extensions: [file_storage]
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [cloud_storage], processors: [siem], exporters: [panoptica_s3]}
`, bucket, store.Region, store.Endpoint, queue, peer.Endpoint, c.out, filepath.Join(dir, "state"))
	require.NoError(t, os.WriteFile(c.config, []byte(config), 0o600))
	c.start()
	t.Cleanup(func() {
		_ = c.Stop(stopTimeout)
		if t.Failed() {
			t.Logf("collector %s:\n%.20000s", name, c.log)
		}
	})
	return c
}

func (c *soakCollector) start() {
	c.t.Helper()
	var err error
	c.Collector, err = harness.Start(binary, c.log, nil, "--config", c.config)
	require.NoError(c.t, err)
}

// TestCloudStorageKilled: two collectors at one queue, killed five times between them while they read objects of mixed
// formats of which one in fifty is broken. Every record comes out at least once, under its event type; what cannot be
// read comes out as one invalid record that names it; nothing is left in the queue.
func TestCloudStorageKilled(t *testing.T) {
	objects := soakObjects
	if text := os.Getenv(soakEnv); text != "" {
		var err error
		objects, err = strconv.Atoi(text)
		require.NoError(t, err, soakEnv)
	}
	peer := peers.StartMoto(t)
	store := peers.StartS3(t) // moto accepts its credentials, as any
	queue, _, _ := peer.CreateQueue(t, "objects", "")
	store.CreateBucket(t, "soak")
	formats := soakFormats(t)
	want := map[string]string{} // what must come out → event type
	marks := map[string]int{}
	broken := 0
	var all []soakObject
	for n := range objects {
		o := soakOf(formats, n)
		all = append(all, o)
		for mark, eventType := range o.marks {
			want[mark] = eventType
		}
		if o.invalid {
			want[fmt.Sprintf("%06d+a b.log", n)] = record.Invalid
		}
		if n%50 == 7 {
			broken++
		}
	}
	began := time.Now()
	putAll(t, store, "soak", all)
	messages := notifyAll(t, peer, queue, "soak", all)
	t.Logf("%d objects put and %d messages sent in %s, %d of them broken", objects, messages, time.Since(began).Round(time.Millisecond), broken)

	began = time.Now()
	collectors := []*soakCollector{newSoakCollector(t, store, peer, "a", "soak", queue), newSoakCollector(t, store, peer, "b", "soak", queue)}
	deadline := time.Now().Add(time.Minute + time.Duration(objects)*100*time.Millisecond)
	for kill := 1; kill <= 5; kill++ {
		left := messages * (6 - kill) / 6
		for peer.Waiting(t, queue) > left {
			require.True(t, time.Now().Before(deadline), "the queue is not worked off")
			time.Sleep(20 * time.Millisecond)
		}
		c := collectors[kill%2]
		require.NoError(t, syscall.Kill(c.Pid(), syscall.SIGKILL))
		<-c.Done()
		c.start()
	}
	for peer.Waiting(t, queue) > 0 {
		require.True(t, time.Now().Before(deadline), "%d messages are left", peer.Waiting(t, queue))
		time.Sleep(200 * time.Millisecond)
	}
	took := time.Since(began)
	for _, c := range collectors {
		require.NoError(t, c.Stop(stopTimeout), c.name)
	}

	mark := regexp.MustCompile(`soak-\d{6}-\d`)
	key := regexp.MustCompile(`\d{6}\+a b\.log`)
	seen := map[string]int{}
	total, findings := 0, 0
	for _, c := range collectors {
		tree, err := harness.Tree(c.out)
		require.NoError(t, err)
		marks[c.name] = 0
		for i := range tree {
			eventType := tree[i].Segments()[1]
			for _, line := range tree[i].Lines {
				names := []string{mark.FindString(line)}
				var invalid struct{ Error string }
				if eventType == record.Invalid && json.Unmarshal([]byte(line), &invalid) == nil && strings.HasPrefix(invalid.Error, "given up") {
					names = key.FindAllString(invalid.Error, -1) // several objects of one message may have failed
				}
				require.NotEmpty(t, names, line)
				if want[names[0]] == "AWS.GuardDuty" && eventType == record.SecurityFinding {
					findings++ // beside its row
					continue
				}
				for _, name := range names {
					if assert.Equal(t, want[name], eventType, "%s: %s", name, line) {
						seen[name]++
						total++
						marks[c.name]++
					}
				}
			}
		}
	}
	lost := 0
	for mark, eventType := range want {
		if seen[mark] == 0 {
			lost++
			if lost < 10 {
				t.Errorf("%s (%s) is lost", mark, eventType)
			}
		}
	}
	t.Logf("%d objects in %s with five kills: %d records wanted, %d lost, %d came more than once, a %d, b %d, findings %d",
		objects, took.Round(time.Millisecond), len(want), lost, total-len(seen), marks["a"], marks["b"], findings)
	assert.Zero(t, lost)
	assert.Positive(t, findings)
	assert.Positive(t, marks["a"])
	assert.Positive(t, marks["b"])
	assert.Less(t, total-len(seen), len(want)/5, "kills repeat what was under way and no more")
}

// putAll writes the objects but those that are to be missing, several at once.
func putAll(t *testing.T, store *peers.S3, bucket string, objects []soakObject) {
	t.Helper()
	client, ctx := store.Client(), context.Background()
	work := make(chan *soakObject)
	var writers sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range 4 {
		writers.Go(func() {
			for o := range work {
				if o.removed {
					continue
				}
				if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(o.key), Body: strings.NewReader(o.content)}); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for i := range objects {
		work <- &objects[i]
	}
	close(work)
	writers.Wait()
	require.NoError(t, failed)
}

// notifyAll tells of the objects in the forms that S3, SNS, EventBridge and CloudTrail have, and counts the messages.
func notifyAll(t *testing.T, peer *peers.Moto, queue, bucket string, objects []soakObject) (messages int) {
	t.Helper()
	text := func(v any) string {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		return string(raw)
	}
	var bodies []string
	for len(objects) > 0 {
		form := len(bodies) % 4
		n := min(len(objects), []int{5, 5, 1, 6}[form])
		var records []any
		var keys []string
		for _, o := range objects[:n] {
			keys = append(keys, o.key)
			records = append(records, map[string]any{
				"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1",
				"s3": map[string]any{"bucket": map[string]any{"name": bucket}, "object": map[string]any{"key": url.QueryEscape(o.key)}},
			})
		}
		objects = objects[n:]
		body := text(map[string]any{"Records": records})
		switch form {
		case 1:
			body = text(map[string]any{"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Message": body})
		case 2:
			body = text(map[string]any{"source": "aws.s3", "detail-type": "Object Created", "region": "us-east-1",
				"detail": map[string]any{"bucket": map[string]any{"name": bucket}, "object": map[string]any{"key": keys[0]}}})
		case 3:
			body = text(map[string]any{"s3Bucket": bucket, "s3ObjectKey": keys})
		}
		bodies = append(bodies, body)
	}
	client := peer.SQS()
	for batch := range slices.Chunk(bodies, 10) {
		in := &sqs.SendMessageBatchInput{QueueUrl: &queue}
		for i, body := range batch {
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &body})
		}
		out, err := client.SendMessageBatch(context.Background(), in)
		require.NoError(t, err)
		require.Empty(t, out.Failed)
	}
	return len(bodies)
}

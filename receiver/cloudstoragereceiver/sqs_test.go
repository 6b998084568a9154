package cloudstoragereceiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"

	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// awsPeer is a bucket whose events go to a queue.
type awsPeer struct {
	*peers.Moto
	t           *testing.T
	bucket      string
	queue, dead string
}

func startAWS(t *testing.T, maxReceives string) *awsPeer {
	m := peers.StartMoto(t)
	p := &awsPeer{Moto: m, t: t, bucket: "logs"}
	var arn string
	p.queue, arn, p.dead = m.CreateQueue(t, "objects", maxReceives)
	m.CreateBucket(t, p.bucket, arn)
	return p
}

func (p *awsPeer) config(c *Config) {
	c.S3 = optional(S3Config{Bucket: p.bucket, Region: p.Region, Endpoint: p.Endpoint, ForcePathStyle: true})
	c.Notifications.SQS = optional(SQSConfig{QueueURL: p.queue, Region: p.Region, Endpoint: p.Endpoint, VisibilityTimeout: 30 * time.Second})
}

func (p *awsPeer) put(key, content string) {
	p.t.Helper()
	_, err := p.S3().PutObject(context.Background(), &s3.PutObjectInput{Bucket: &p.bucket, Key: &key, Body: strings.NewReader(content)})
	require.NoError(p.t, err)
}

func (p *awsPeer) send(body string) {
	p.t.Helper()
	_, err := p.SQS().SendMessage(context.Background(), &sqs.SendMessageInput{QueueUrl: &p.queue, MessageBody: &body})
	require.NoError(p.t, err)
}

func (p *awsPeer) empty() {
	p.t.Helper()
	eventually(p.t, func() bool { return p.Waiting(p.t, p.queue) == 0 }, func() string {
		return fmt.Sprintf("%d messages are left in the queue", p.Waiting(p.t, p.queue))
	})
}

// once says that every record came, and none twice.
func once(t *testing.T, s *sink, want []string) {
	t.Helper()
	got := s.got()
	assert.Len(t, got, len(want))
	for _, record := range want {
		assert.Equal(t, 1, got[record], record)
	}
}

// trailMessage is a notification of CloudTrail's own: several objects in one message.
func (p *awsPeer) trailMessage(keys ...string) string {
	message, err := json.Marshal(map[string]any{"s3Bucket": p.bucket, "s3ObjectKey": keys})
	require.NoError(p.t, err)
	return string(message)
}

func TestSQS(t *testing.T) {
	p := startAWS(t, "")
	var want []string
	add := func(key string, n int, pack func(string) string) {
		text, records := lines(key, n)
		p.put(key, pack(text))
		want = append(want, records...)
	}
	plain := func(s string) string { return s }
	add("plain.json", 3, plain)
	add("large.json", 2500, plain)
	add("a b+c/é%41&=.json", 2, plain)
	add("packed.json.gz", 1200, gz)
	add("packed.without-suffix", 5, zst)
	a, more := lines("member-1", 2)
	b, evenMore := lines("member-2", 2)
	want = append(append(want, more...), evenMore...)
	p.put("members.gz", gz(a)+gz(b))
	text, records := lines("array", 4)
	want = append(want, records...)
	p.put("envelope.json", `{"Records":[`+strings.ReplaceAll(strings.TrimSpace(text), "\n", ",")+`]}`)
	p.put("empty.json", "")
	p.put("folder/", "")

	s := newSink()
	r := start(t, "", s, p.config)
	s.waitFor(t, len(want))
	p.empty()
	once(t, s, want)
	assert.Equal(t, "s3://logs/plain.json#0", s.attributes(`{"alert_id":"plain.json-0","detection_type":"security_finding"}`)[record.AttrOrigin])
	assert.Equal(t, map[string]int{"test,deleted": 1, "objects,deleted": 9}, r.counts(t, "messages", "kind,verdict"))
	assert.Equal(t, map[string]int{"read": 8, "skipped": 1}, r.counts(t, "objects", "outcome"))
	lag, err := r.telemetry.GetMetric("otelcol_receiver_cloud_storage_lag")
	require.NoError(t, err)
	assert.NotEmpty(t, lag)
}

// TestSQSForms: the same objects, told of in every form that reaches a queue.
func TestSQSForms(t *testing.T) {
	p := startAWS(t, "")
	other := "other"
	p.CreateBucket(t, other, "")
	var want []string
	put := func(key string) {
		text, records := lines(key, 2)
		_, err := p.S3().PutObject(context.Background(), &s3.PutObjectInput{Bucket: &other, Key: &key, Body: strings.NewReader(text)})
		require.NoError(t, err)
		want = append(want, records...)
	}
	for _, key := range []string{"sns+a.json", "bridge b.json", "trail+1.json", "trail+2.json"} {
		put(key)
	}
	quote := func(message string) string {
		quoted, _ := json.Marshal(message)
		return `{"Type":"Notification","TopicArn":"arn:aws:sns:us-east-1:1:t","Message":` + string(quoted) + `}`
	}
	p.bucket = "" // the receiver takes any
	p.send(quote(`{"Records":[{"eventSource":"aws:s3","awsRegion":"us-east-1","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"other"},"object":{"key":"sns%2Ba.json"}}}]}`))
	p.send(`{"detail-type":"Object Created","source":"aws.s3","region":"us-east-1","detail":{"bucket":{"name":"other"},"object":{"key":"bridge b.json"}}}`)
	p.send(quote(`{"s3Bucket":"other","s3ObjectKey":["trail+1.json","trail+2.json"]}`))
	p.send(quote("CloudTrail validation message."))
	p.send(`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"other"},"object":{"key":"gone"}}}]}`)

	s := newSink()
	r := start(t, "", s, p.config)
	s.waitFor(t, len(want))
	p.empty()
	once(t, s, want)
	assert.Equal(t, map[string]int{"test,deleted": 2, "objects,deleted": 3, "ignored,deleted": 1}, r.counts(t, "messages", "kind,verdict"))
}

// TestOneOfSeveralFails: the others of its message come once, whatever happens to it; in the end the message goes on as one
// invalid record.
func TestOneOfSeveralFails(t *testing.T) {
	p := startAWS(t, "")
	_, arn, _ := p.CreateQueue(t, "unused", "")
	_ = arn
	a, want := lines("a", 1500)
	b, more := lines("b", 3)
	want = append(want, more...)
	bucket := "quiet"
	p.CreateBucket(t, bucket, "")
	p.bucket = bucket
	p.put("a.json", a)
	p.put("b.json", b)
	p.put("broken.json.gz", gz(strings.Repeat("{}\n", 1000))[:30])
	message := p.trailMessage("a.json", "missing.json", "broken.json.gz", "b.json")
	p.send(message)

	s := newSink()
	r := start(t, t.TempDir(), s, func(c *Config) { p.config(c); c.MaxTries = 3 })
	s.waitFor(t, len(want)+1)
	p.empty()
	got := s.got()
	for _, record := range want {
		assert.Equal(t, 1, got[record], record)
		delete(got, record)
	}
	require.Len(t, got, 1)
	for body := range got {
		var invalid struct{ Error, Raw string }
		require.NoError(t, json.Unmarshal([]byte(body), &invalid))
		assert.Contains(t, invalid.Error, "given up after 3 tries")
		assert.Contains(t, invalid.Error, "not_found: s3://quiet/missing.json")
		assert.Contains(t, invalid.Error, "ends too early")
		assert.Equal(t, message, invalid.Raw)
		assert.Equal(t, record.Invalid, s.attributes(body)[record.AttrEventType])
	}
	assert.Equal(t, map[string]int{"read": 2, "done_before": 4, "not_found": 3, "broken": 3}, r.counts(t, "objects", "outcome"))
	assert.Equal(t, map[string]int{"test,deleted": 1, "objects,retried": 2, "objects,given_up": 1}, r.counts(t, "messages", "kind,verdict"))
}

// TestDeadLetter: with max_tries 0 a message that is no notification is left to the queue's own policy.
func TestDeadLetter(t *testing.T) {
	p := startAWS(t, "2")
	p.send("no notification at all")
	s := newSink()
	start(t, "", s, func(c *Config) { p.config(c); c.MaxTries = 0 })
	eventually(t, func() bool { return p.Waiting(t, p.dead) == 1 }, func() string { return "the message is not in the dead-letter queue" })
	p.empty()
	assert.Empty(t, s.got())
}

// TestDeletedOnlyWhenAccepted: as long as the pipeline refuses, the message stays; its records come once when it does not.
func TestDeletedOnlyWhenAccepted(t *testing.T) {
	p := startAWS(t, "")
	text, want := lines("a", 1100)
	p.put("a.json", text)
	s := newSink()
	open := false
	s.refuse = func(n int) error {
		if n == 0 || open { // the first thousand are in
			return nil
		}
		return errors.New("queue is full")
	}
	r := start(t, "", s, p.config)
	s.waitFor(t, 1000)
	time.Sleep(2 * time.Second)
	assert.Equal(t, 1, p.Waiting(t, p.queue))
	s.mu.Lock()
	open = true
	s.mu.Unlock()
	s.waitFor(t, len(want))
	p.empty()
	once(t, s, want)
	r.halt(false)
}

// TestRefusedForGood: what the pipeline will never take ends as an invalid record, and what it took does not come again.
func TestRefusedForGood(t *testing.T) {
	p := startAWS(t, "")
	text, want := lines("a", 1100)
	p.put("a.json", text)
	s := newSink()
	s.refuse = func(n int) error {
		if n == 1 || n == 2 {
			return consumererror.NewPermanent(errors.New("no"))
		}
		return nil
	}
	start(t, "", s, func(c *Config) { p.config(c); c.MaxTries = 2 })
	s.waitFor(t, 1001)
	p.empty()
	got := s.got()
	for _, record := range want[:1000] {
		assert.Equal(t, 1, got[record])
	}
	assert.Len(t, got, 1001)
}

// TestLeaseIsExtended: an object that takes longer than the visibility timeout is read once, also with another collector
// at the same queue.
func TestLeaseIsExtended(t *testing.T) {
	p := startAWS(t, "")
	text, want := lines("a", 1500)
	p.put("a.json", text)
	s := newSink()
	s.refuse = func(int) error { return nil }
	slow := &slowly{sink: s, pause: 6 * time.Second} // for each of two batches
	config := func(c *Config) { p.config(c); c.Notifications.SQS.Get().VisibilityTimeout = 10 * time.Second }
	start(t, "", slow, config)
	start(t, "", slow, config)
	s.waitFor(t, len(want))
	p.empty()
	once(t, s, want)
}

// TestStopGivesBack: a message that is not finished at shutdown can be had by others at once, and what was delivered of it is
// not delivered again by who has the storage.
func TestStopGivesBack(t *testing.T) {
	p := startAWS(t, "")
	text, want := lines("a", 2500)
	p.put("a.json", text)
	s := newSink()
	blocked := false
	s.refuse = func(n int) error {
		if n > 0 && !blocked {
			return errors.New("full")
		}
		return nil
	}
	dir := t.TempDir()
	config := func(c *Config) { p.config(c); c.Notifications.SQS.Get().VisibilityTimeout = time.Hour }
	r := start(t, dir, s, config)
	s.waitFor(t, 1000)
	r.halt(false)
	s.mu.Lock()
	blocked = true
	s.mu.Unlock()
	start(t, dir, s, config)
	s.waitFor(t, len(want))
	p.empty()
	once(t, s, want)
}

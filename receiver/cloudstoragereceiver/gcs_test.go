package cloudstoragereceiver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"cloud.google.com/go/storage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/option"

	"github.com/siempipe/siempipe/internal/test/peers"
)

// gcsPeer is a bucket whose events go to a topic.
type gcsPeer struct {
	*peers.GCS
	t      *testing.T
	bucket *storage.BucketHandle
	pubsub *pstest.Server
}

func startGCS(t *testing.T) *gcsPeer {
	ctx := context.Background()
	pubsub := pstest.NewServer()
	t.Cleanup(func() { _ = pubsub.Close() })
	p := &gcsPeer{GCS: peers.StartGCS(t, pubsub.Addr, "logs"), t: t, pubsub: pubsub}
	topic := "projects/" + p.Project + "/topics/" + p.Topic
	_, err := pubsub.GServer.CreateTopic(ctx, &pubsubpb.Topic{Name: topic})
	require.NoError(t, err)
	_, err = pubsub.GServer.CreateSubscription(ctx, &pubsubpb.Subscription{
		Name: "projects/" + p.Project + "/subscriptions/siempipe", Topic: topic, AckDeadlineSeconds: 10,
	})
	require.NoError(t, err)
	client, err := storage.NewClient(ctx, option.WithEndpoint(p.Endpoint+"/storage/v1/"), option.WithoutAuthentication(), storage.WithJSONReads())
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	p.bucket = client.Bucket("logs")
	require.NoError(t, p.bucket.Create(ctx, p.Project, nil))
	return p
}

func (p *gcsPeer) put(name, content, encoding string) {
	p.t.Helper()
	w := p.bucket.Object(name).NewWriter(context.Background())
	w.ContentEncoding = encoding
	w.ContentType = "application/json"
	_, err := w.Write([]byte(content))
	require.NoError(p.t, err)
	require.NoError(p.t, w.Close())
}

func (p *gcsPeer) add(want *[]string) {
	plain := func(s string) string { return s }
	for _, object := range []struct {
		name, encoding string
		n              int
		pack           func(string) string
	}{{"a b+c/é.json", "", 2, plain}, {"large.json.gz", "", 2500, gz}, {"encoded.json", "gzip", 3, gz}, {"z.zst", "", 3, zst}} {
		text, records := lines(object.name, object.n)
		p.put(object.name, object.pack(text), object.encoding)
		*want = append(*want, records...)
	}
}

func TestGCSPoll(t *testing.T) {
	p := startGCS(t)
	var want []string
	p.add(&want)
	dir, s := t.TempDir(), newSink()
	config := func(c *Config) {
		c.GCS = optional(GCSConfig{Bucket: "logs", Endpoint: p.Endpoint})
		c.Poll = optional(PollConfig{Interval: time.Second, Overlap: time.Hour})
	}
	r := start(t, dir, s, config)
	s.waitFor(t, len(want))
	r.idle(t)
	r.halt(false)
	text, records := lines("again", 2)
	p.put("a b+c/é.json", text, "")
	want = append(want, records...)
	r = start(t, dir, s, config)
	s.waitFor(t, len(want))
	r.idle(t)
	once(t, s, want)
}

// TestGCSPages: more objects than a page holds.
func TestGCSPages(t *testing.T) {
	p := startGCS(t)
	const objects = 1100
	var want []string
	texts := make([]string, objects)
	for i := range objects {
		text, records := lines(fmt.Sprint(i), 1)
		texts[i], want = text, append(want, records...)
	}
	several(objects, func(i int) { p.put(fmt.Sprintf("%04d.json", i), texts[i], "") })
	s := newSink()
	r := start(t, t.TempDir(), s, func(c *Config) {
		c.GCS = optional(GCSConfig{Bucket: "logs", Endpoint: p.Endpoint})
		c.Poll = optional(PollConfig{Interval: time.Second, Overlap: time.Hour})
	})
	s.waitFor(t, len(want))
	r.idle(t)
	once(t, s, want)
}

func TestPubSub(t *testing.T) {
	p := startGCS(t)
	var want []string
	p.add(&want)
	p.put("gone.json", "x", "")
	require.NoError(t, p.bucket.Object("gone.json").Delete(context.Background()))
	s := newSink()
	r := start(t, "", s, func(c *Config) {
		c.GCS = optional(GCSConfig{Endpoint: p.Endpoint})
		c.Notifications.PubSub = optional(PubSubConfig{Project: p.Project, Subscription: "siempipe", Endpoint: "http://" + p.pubsub.Addr})
		c.MaxTries = 2
	})
	s.waitFor(t, len(want)+1)
	eventually(t, func() bool {
		for _, m := range p.pubsub.Messages() {
			if m.Acks == 0 {
				return false
			}
		}
		return len(p.pubsub.Messages()) > 0
	}, func() string { return "messages are not acknowledged" })
	got := s.got()
	for _, record := range want {
		assert.Equal(t, 1, got[record], record)
		delete(got, record)
	}
	require.Len(t, got, 1)
	for body := range got {
		assert.True(t, strings.Contains(body, "given up after 2 tries: not_found: gs://logs/gone.json"), body)
	}
	assert.Equal(t, map[string]int{"objects,deleted": 4, "objects,retried": 1, "objects,given_up": 1, "ignored,deleted": 1}, r.counts(t, "messages", "kind,verdict"))
}

package cloudstoragereceiver

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/appendblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/peers"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

// azurePeer is a container in Azurite.
type azurePeer struct {
	*peers.Azurite
	t         *testing.T
	container *container.Client
}

func startAzure(t *testing.T) *azurePeer {
	p := &azurePeer{Azurite: peers.StartAzurite(t), t: t}
	var err error
	p.container, err = container.NewClientFromConnectionString(p.ConnectionString, "insights", nil)
	require.NoError(t, err)
	_, err = p.container.Create(context.Background(), nil)
	require.NoError(t, err)
	return p
}

func (p *azurePeer) config(c *Config) {
	c.AzureBlob = optional(AzureBlobConfig{ConnectionString: configopaque.String(p.ConnectionString), Container: "insights"})
	c.Poll = optional(PollConfig{Interval: time.Second, Overlap: time.Hour})
}

func (p *azurePeer) put(name, content, encoding string) {
	p.t.Helper()
	options := &blockblob.UploadOptions{HTTPHeaders: &blob.HTTPHeaders{BlobContentEncoding: &encoding}}
	_, err := p.container.NewBlockBlobClient(name).Upload(context.Background(), streaming.NopCloser(strings.NewReader(content)), options)
	require.NoError(p.t, err)
}

// append adds to an append blob, which it makes when it is not there.
func (p *azurePeer) append(name string, create bool, content string) {
	p.t.Helper()
	client := p.container.NewAppendBlobClient(name)
	if create {
		_, err := client.Create(context.Background(), &appendblob.CreateOptions{})
		require.NoError(p.t, err)
	}
	_, err := client.AppendBlock(context.Background(), streaming.NopCloser(strings.NewReader(content)), nil)
	require.NoError(p.t, err)
}

func TestAzurePoll(t *testing.T) {
	p := startAzure(t)
	var want []string
	add := func(name string, n int, encoding string, pack func(string) string) {
		text, records := lines(name, n)
		p.put(name, pack(text), encoding)
		want = append(want, records...)
	}
	add("a b+c/é.json", 2, "", func(s string) string { return s })
	add("large.json.gz", 2500, "gzip", gz)
	add("large.json.zst", 20, "", zst)
	s := newSink()
	r := start(t, t.TempDir(), s, p.config)
	s.waitFor(t, len(want))
	r.idle(t)
	once(t, s, want)
	origin, _ := s.attributes(`{"alert_id":"a b+c/é.json-0","detection_type":"security_finding"}`)[record.AttrOrigin].(string)
	assert.True(t, strings.HasPrefix(origin, p.BlobURL+"/insights/a b+c/é.json#"), origin)
}

// TestAzureGrows: an append blob is read on where it was, also after a restart; a line that is torn waits for its rest; a
// block blob that is written anew, longer, brings what is new.
func TestAzureGrows(t *testing.T) {
	p := startAzure(t)
	const name = "resourceId=/SUBSCRIPTIONS/S/y=2026/m=01/d=02/h=03/m=00/PT1H.json"
	text, records := lines("grows", 10)
	parts := strings.SplitAfter(text, "\n")
	dir, s := t.TempDir(), newSink()

	p.append(name, true, parts[0]+parts[1]+parts[2][:15])
	flow := func(n int) string {
		_, records := lines("flow", n)
		return `{"records":[` + strings.Join(records, ",") + `]}`
	}
	p.put("flow.json", flow(2), "")
	r := start(t, dir, s, p.config)
	s.waitFor(t, 2+2)
	r.idle(t)
	_, flows := lines("flow", 2)
	once(t, s, append(flows, records[:2]...))

	p.append(name, false, parts[2][15:]+parts[3])
	p.put("flow.json", flow(5), "")
	s.waitFor(t, 4+5)
	r.halt(false)
	p.append(name, false, parts[4]+parts[5]+parts[6][:3])
	p.append(name, false, parts[6][3:]+parts[7])
	p.put("flow.json", flow(1500), "")
	r = start(t, dir, s, p.config)
	s.waitFor(t, 8+1500)
	p.append(name, false, parts[8]+parts[9])
	s.waitFor(t, 10+1500)
	r.idle(t)
	_, flows = lines("flow", 1500)
	once(t, s, append(flows, records...))
	origin := s.attributes(records[9])[record.AttrOrigin].(string)
	assert.True(t, strings.HasSuffix(origin, fmt.Sprintf("#%d", len(text)-len(parts[9]))), "%s: the offset is that in the whole blob", origin)

	// Another blob of the same name is another blob.
	_, err := p.container.NewBlobClient(name).Delete(context.Background(), nil)
	require.NoError(t, err)
	time.Sleep(1100 * time.Millisecond) // creation times are in whole seconds
	fresh, more := lines("fresh", 30)
	p.append(name, true, fresh)
	s.waitFor(t, 10+1500+30)
	r.idle(t)
	once(t, s, append(append(flows, records...), more...))
}

// TestAzureSettled: what is torn at the end of a blob that has long been as it is goes on as it is.
func TestAzureSettled(t *testing.T) {
	p := startAzure(t)
	text, records := lines("x", 2)
	p.append("PT1H.json", true, text+`{"alert_id":"torn`)
	s := newSink()
	r := start(t, t.TempDir(), s, func(c *Config) { p.config(c); c.Poll.Get().Overlap = 3 * time.Second })
	s.waitFor(t, 2)
	assert.Len(t, s.got(), 2)
	s.waitFor(t, 3)
	r.idle(t)
	got := s.got()
	assert.Len(t, got, 3)
	for _, record := range records {
		delete(got, record)
	}
	for body := range got {
		assert.Contains(t, body, `{\"alert_id\":\"torn`)
	}
}

func TestStorageQueue(t *testing.T) {
	p := startAzure(t)
	queue, err := azqueue.NewQueueClientFromConnectionString(p.ConnectionString, "events", nil)
	require.NoError(t, err)
	_, err = queue.Create(context.Background(), nil)
	require.NoError(t, err)
	send := func(message string) {
		_, err := queue.EnqueueMessage(context.Background(), base64.StdEncoding.EncodeToString([]byte(message)), nil)
		require.NoError(t, err)
	}
	event := func(name string) string {
		return fmt.Sprintf(`{"subject":"/blobServices/default/containers/insights/blobs/%s","eventType":"Microsoft.Storage.BlobCreated","data":{"url":"%s/insights/x","blobType":"BlockBlob"}}`,
			name, p.BlobURL)
	}
	text, want := lines("a", 1500)
	p.put("a.json", text, "")
	more, records := lines("b", 2)
	p.put("b c+d.json", more, "")
	want = append(want, records...)
	send("[" + event("a.json") + "," + event("b c+d.json") + "]")
	send(`[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent"}]`)
	send(event("missing.json"))
	send(strings.Replace(event("elsewhere.json"), p.BlobURL, "https://other.blob.core.windows.net", 1))

	s := newSink()
	slow := &slowly{sink: s, pause: 5 * time.Second} // for each of its two batches
	r := start(t, t.TempDir(), slow, func(c *Config) {
		c.AzureBlob = optional(AzureBlobConfig{ConnectionString: configopaque.String(p.ConnectionString)})
		c.Notifications.StorageQueue = optional(StorageQueueConfig{Queue: "events", VisibilityTimeout: 8 * time.Second})
		c.MaxTries = 2
	})
	s.waitFor(t, len(want)+2)
	eventually(t, func() bool {
		properties, err := queue.GetProperties(context.Background(), nil)
		require.NoError(t, err)
		return *properties.ApproximateMessagesCount == 0
	}, func() string { return "messages are left" })
	got := s.got()
	for _, record := range want {
		assert.Equal(t, 1, got[record])
		delete(got, record)
	}
	reasons := ""
	for body := range got {
		reasons += body
	}
	assert.Contains(t, reasons, "missing.json")
	assert.Contains(t, reasons, "the blob is in the account other.blob.core.windows.net")
	assert.Equal(t, map[string]int{"objects,deleted": 1, "test,deleted": 1, "objects,retried": 2, "objects,given_up": 2}, r.counts(t, "messages", "kind,verdict"))
}

// TestAzureWrongKey is for everybody to mend and no object's fault.
func TestAzureWrongKey(t *testing.T) {
	p := startAzure(t)
	text, _ := lines("a", 2)
	p.put("a.json", text, "")
	s := newSink()
	wrong := strings.Replace(p.ConnectionString, "AccountKey=E", "AccountKey=F", 1)
	r := start(t, t.TempDir(), s, func(c *Config) {
		p.config(c)
		c.AzureBlob.Get().ConnectionString = configopaque.String(wrong)
		c.MaxTries = 1
	})
	eventually(t, func() bool { r.status.mu.Lock(); defer r.status.mu.Unlock(); return r.status.failing }, func() string { return "no failure" })
	assert.Empty(t, s.got())
	_, _, err := r.bucket.Page(context.Background(), "", "")
	assert.Contains(t, []bucket.Kind{bucket.Forbidden, bucket.Misconfigured}, bucket.KindOf(err), "%v", err) // Azurite calls it AuthorizationFailure
}

package notice

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

const s3Created = `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-central-1","eventTime":"2024-09-15T17:16:00.000Z",
"eventName":"ObjectCreated:Put","s3":{"s3SchemaVersion":"1.0","bucket":{"name":"logs","arn":"arn:aws:s3:::logs"},
"object":{"key":"AWSLogs/a+b/caf%C3%A9%2B1.json.gz","size":1024,"eTag":"d41d8cd98f00b204e9800998ecf8427e","versionId":"v1","sequencer":"0055AED6DCD90281E5"}}}]}`

const bridge = `{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"Object Created","source":"aws.s3","account":"111122223333",
"time":"2021-11-12T00:00:00Z","region":"ca-central-1","resources":["arn:aws:s3:::logs"],"detail":{"version":"0","bucket":{"name":"logs"},
"object":{"key":"a+b/c d.json","size":5,"etag":"b1946ac92492d2347c6235b4d2611184","version-id":"v2","sequencer":"617f08299329d189"},"reason":"PutObject"}}`

const cloudTrailMessage = `{"s3Bucket":"trail","s3ObjectKey":["AWSLogs/1/CloudTrail/a.json.gz","AWSLogs/1/CloudTrail/b+c.json.gz"]}`

const grid = `{"topic":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acct","subject":"/blobServices/default/containers/insights/blobs/a/b c.json",
"eventType":"Microsoft.Storage.BlobCreated","id":"831e1650-001e-001b-66ab-eeb76e069631","data":{"api":"PutBlockList","eTag":"0x8D4BCC2E4835CD0","contentLength":524288,
"blobType":"BlockBlob","url":"https://acct.blob.core.windows.net/insights/a/b%20c.json","sequencer":"1"},"dataVersion":"","metadataVersion":"1","eventTime":"2017-06-26T18:41:00.9584103Z"}`

const cloudEvent = `{"specversion":"1.0","source":"/subscriptions/s","subject":"/blobServices/default/containers/insights/blobs/x.json","type":"Microsoft.Storage.BlobCreated",
"id":"1","data":{"api":"PutBlob","eTag":"0x1","contentLength":3,"blobType":"AppendBlob","url":"https://acct.blob.core.windows.net/insights/x.json"}}`

func wrapped(kind, message string) string {
	quoted, _ := json.Marshal(message)
	return `{"Type":"` + kind + `","MessageId":"1","TopicArn":"arn:aws:sns:eu-central-1:1:t","Message":` + string(quoted) + `,"Timestamp":"2024-01-01T00:00:00Z"}`
}

func TestParse(t *testing.T) {
	created := bucket.Object{
		Bucket: "logs", Key: "AWSLogs/a b/café+1.json.gz", Version: "v1", ETag: "d41d8cd98f00b204e9800998ecf8427e", Size: 1024, Region: "eu-central-1",
	}
	bridged := bucket.Object{Bucket: "logs", Key: "a+b/c d.json", Version: "v2", ETag: "b1946ac92492d2347c6235b4d2611184", Size: 5, Region: "ca-central-1"}
	trail := []bucket.Object{{Bucket: "trail", Key: "AWSLogs/1/CloudTrail/a.json.gz"}, {Bucket: "trail", Key: "AWSLogs/1/CloudTrail/b+c.json.gz"}}
	blob := bucket.Object{Bucket: "insights", Key: "a/b c.json", ETag: "0x8D4BCC2E4835CD0", Size: 524288, Account: "acct.blob.core.windows.net"}
	appended := bucket.Object{Bucket: "insights", Key: "x.json", ETag: "0x1", Size: 3, Account: "acct.blob.core.windows.net", Grows: true}
	finalized := map[string]string{"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": "o/p.json", "objectGeneration": "1234", "payloadFormat": "JSON_API_V1"}
	deleted := map[string]string{"eventType": "OBJECT_DELETE", "bucketId": "b", "objectId": "o"}

	tests := map[string]struct {
		body       string
		attributes map[string]string
		want       Notice
	}{
		"S3":                        {s3Created, nil, Notice{Objects, []bucket.Object{created}, "ObjectCreated:Put"}},
		"S3 with a mark before it":  {"\uFEFF" + s3Created, nil, Notice{Objects, []bucket.Object{created}, "ObjectCreated:Put"}},
		"S3 deletion":               {strings.Replace(s3Created, "ObjectCreated:Put", "ObjectRemoved:Delete", 1), nil, Notice{Kind: Ignored, Event: "ObjectRemoved:Delete"}},
		"S3 test":                   {`{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z","Bucket":"b","RequestId":"1","HostId":"2"}`, nil, Notice{Kind: Test, Event: "s3:TestEvent"}},
		"SNS":                       {wrapped("Notification", s3Created), nil, Notice{Objects, []bucket.Object{created}, "ObjectCreated:Put"}},
		"SNS quoted once more":      {mustQuote(wrapped("Notification", s3Created)), nil, Notice{Objects, []bucket.Object{created}, "ObjectCreated:Put"}},
		"SNS test":                  {wrapped("Notification", `{"Service":"Amazon S3","Event":"s3:TestEvent"}`), nil, Notice{Kind: Test, Event: "s3:TestEvent"}},
		"SNS confirmation":          {wrapped("SubscriptionConfirmation", "You have chosen to subscribe"), nil, Notice{Kind: Test, Event: "SubscriptionConfirmation"}},
		"EventBridge":               {bridge, nil, Notice{Objects, []bucket.Object{bridged}, "Object Created"}},
		"EventBridge through SNS":   {wrapped("Notification", bridge), nil, Notice{Objects, []bucket.Object{bridged}, "Object Created"}},
		"EventBridge deletion":      {strings.Replace(bridge, "Object Created", "Object Deleted", 1), nil, Notice{Kind: Ignored, Event: "Object Deleted"}},
		"CloudTrail":                {cloudTrailMessage, nil, Notice{Objects, trail, "CloudTrail"}},
		"CloudTrail through SNS":    {wrapped("Notification", cloudTrailMessage), nil, Notice{Objects, trail, "CloudTrail"}},
		"CloudTrail validation":     {"CloudTrail validation message.", nil, Notice{Kind: Test, Event: "CloudTrail validation"}},
		"CloudTrail validation SNS": {wrapped("Notification", "CloudTrail validation message."), nil, Notice{Kind: Test, Event: "CloudTrail validation"}},
		"Event Grid":                {grid, nil, Notice{Objects, []bucket.Object{blob}, "Microsoft.Storage.BlobCreated"}},
		"Event Grid in base64":      {base64.StdEncoding.EncodeToString([]byte(grid)), nil, Notice{Objects, []bucket.Object{blob}, "Microsoft.Storage.BlobCreated"}},
		"Event Grid batch":          {"[" + grid + "," + cloudEvent + "]", nil, Notice{Objects, []bucket.Object{blob, appended}, "Microsoft.Storage.BlobCreated"}},
		"CloudEvents":               {cloudEvent, nil, Notice{Objects, []bucket.Object{appended}, "Microsoft.Storage.BlobCreated"}},
		"Event Grid deletion":       {strings.Replace(grid, "BlobCreated", "BlobDeleted", 1), nil, Notice{Kind: Ignored, Event: "Microsoft.Storage.BlobDeleted"}},
		"Event Grid validation":     {`[{"id":"1","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"x"}}]`, nil, Notice{Kind: Test, Event: "Microsoft.EventGrid.SubscriptionValidationEvent"}},
		"Google":                    {"{}", finalized, Notice{Objects, []bucket.Object{{Bucket: "b", Key: "o/p.json", Version: "1234", ETag: "1234"}}, "OBJECT_FINALIZE"}},
		"Google deletion":           {"{}", deleted, Notice{Kind: Ignored, Event: "OBJECT_DELETE"}},
		"Google without attributes": {`{"kind":"storage#object","bucket":"b","name":"o","generation":"7","size":"12"}`, nil, Notice{Objects, []bucket.Object{{Bucket: "b", Key: "o", Version: "7", ETag: "7", Size: 12}}, "storage#object"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(test.body), test.attributes)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func mustQuote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

func TestNoNotification(t *testing.T) {
	nested := s3Created
	for range 6 {
		nested = wrapped("Notification", nested)
	}
	tests := map[string]struct{ body, want string }{
		"empty":                   {" \n", "empty message"},
		"text":                    {"hello", "neither a notification"},
		"broken":                  {`{"Records":[`, "broken JSON"},
		"another object":          {`{"a":1}`, "neither a notification"},
		"another service":         {`{"Records":[{"eventSource":"aws:ses","eventName":"x"}]}`, "event source"},
		"no records":              {`{"Records":[]}`, "without a record"},
		"no key":                  {`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":""}}}]}`, "names no object"},
		"a key that is not coded": {`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"%zz"}}}]}`, "invalid URL escape"},
		"wrapped too often":       {nested, "wrapped too often"},
		"SNS of another type":     {wrapped("Other", "x"), "type"},
		"no blob":                 {strings.Replace(grid, "/blobServices/default/containers/insights/blobs/a/b c.json", "/x", 1), "names no blob"},
		"another Azure event":     {`{"eventType":"Microsoft.KeyVault.SecretNewVersionCreated"}`, "want Microsoft.Storage.BlobCreated"},
		"a CloudTrail record":     {`{"s3Bucket":"b","s3ObjectKey":[]}`, "without s3ObjectKey"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.body), nil)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{s3Created, bridge, cloudTrailMessage, grid, "[" + cloudEvent + "]", wrapped("Notification", s3Created), "CloudTrail validation message.", `"x"`, "e30="} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := Parse(body, nil)
		switch {
		case err != nil:
		case n.Kind == Objects:
			require.NotEmpty(t, n.Objects)
			for _, o := range n.Objects {
				require.NotEmpty(t, o.Bucket)
				require.NotEmpty(t, o.Key)
			}
		default:
			require.Empty(t, n.Objects)
			require.Contains(t, []Kind{Test, Ignored}, n.Kind)
		}
	})
}

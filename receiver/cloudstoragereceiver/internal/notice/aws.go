package notice

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

// sns takes the message out of a topic's.
// Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
func sns(kind string, message *string, wrappings int) (Notice, error) {
	switch kind {
	case "SubscriptionConfirmation", "UnsubscribeConfirmation":
		return Notice{Kind: Test, Event: kind}, nil
	case "Notification":
		if message == nil {
			return Notice{}, errors.New("SNS notification without Message")
		}
		return parse([]byte(*message), wrappings-1)
	}
	return Notice{}, fmt.Errorf("SNS message of type %.40q", kind)
}

// s3Records reads S3's own notification.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
func s3Records(records json.RawMessage) (Notice, error) {
	var events []struct {
		EventSource string `json:"eventSource"`
		EventName   string `json:"eventName"`
		Region      string `json:"awsRegion"`
		S3          struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key       string `json:"key"`
				Size      int64  `json:"size"`
				ETag      string `json:"eTag"`
				VersionID string `json:"versionId"`
			} `json:"object"`
		} `json:"s3"`
	}
	if err := json.Unmarshal(records, &events); err != nil {
		return Notice{}, fmt.Errorf("S3 notification: %w", err)
	}
	if len(events) == 0 {
		return Notice{}, errors.New("S3 notification without a record")
	}
	var objects []bucket.Object
	for i := range events {
		e := &events[i]
		if e.EventSource != "" && !strings.HasSuffix(e.EventSource, ":s3") {
			return Notice{}, fmt.Errorf("Records[%d]: event source %.40q, want aws:s3", i, e.EventSource)
		}
		// "ObjectCreated:Put", in old configurations "s3:ObjectCreated:Put".
		if !strings.HasPrefix(strings.TrimPrefix(e.EventName, "s3:"), "ObjectCreated:") {
			continue
		}
		// The key is encoded as in a form: a blank is a plus, a plus is %2B.
		key, err := url.QueryUnescape(e.S3.Object.Key)
		if err != nil {
			return Notice{}, fmt.Errorf("Records[%d].s3.object.key: %w", i, err)
		}
		o := bucket.Object{
			Bucket: e.S3.Bucket.Name, Key: key, Version: e.S3.Object.VersionID, ETag: e.S3.Object.ETag, Size: e.S3.Object.Size, Region: e.Region,
		}
		if err := named(o); err != nil {
			return Notice{}, fmt.Errorf("Records[%d]: %w", i, err)
		}
		objects = append(objects, o)
	}
	return gathered(objects, events[0].EventName), nil
}

// eventBridge reads S3's event as EventBridge passes it on; its key is not encoded.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
func eventBridge(body []byte) (Notice, error) {
	var event struct {
		DetailType string `json:"detail-type"`
		Region     string `json:"region"`
		Detail     struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key       string `json:"key"`
				Size      int64  `json:"size"`
				ETag      string `json:"etag"`
				VersionID string `json:"version-id"`
			} `json:"object"`
		} `json:"detail"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return Notice{}, fmt.Errorf("EventBridge event: %w", err)
	}
	if event.DetailType != "Object Created" {
		return Notice{Kind: Ignored, Event: event.DetailType}, nil
	}
	d := &event.Detail
	o := bucket.Object{
		Bucket: d.Bucket.Name, Key: d.Object.Key, Version: d.Object.VersionID, ETag: d.Object.ETag, Size: d.Object.Size, Region: event.Region,
	}
	if err := named(o); err != nil {
		return Notice{}, fmt.Errorf("EventBridge event: %w", err)
	}
	return gathered([]bucket.Object{o}, event.DetailType), nil
}

// cloudTrail reads what CloudTrail itself publishes to a topic; its keys are not encoded.
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/configure-sns-notifications-for-cloudtrail.html
func cloudTrail(body []byte) (Notice, error) {
	var message struct {
		Bucket string   `json:"s3Bucket"`
		Keys   []string `json:"s3ObjectKey"`
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return Notice{}, fmt.Errorf("CloudTrail notification: %w", err)
	}
	var objects []bucket.Object
	for i, key := range message.Keys {
		o := bucket.Object{Bucket: message.Bucket, Key: key}
		if err := named(o); err != nil {
			return Notice{}, fmt.Errorf("s3ObjectKey[%d]: %w", i, err)
		}
		objects = append(objects, o)
	}
	if len(objects) == 0 {
		return Notice{}, errors.New("CloudTrail notification without s3ObjectKey")
	}
	return gathered(objects, "CloudTrail"), nil
}

// isCloudTrailValidation recognises what CloudTrail sends when a topic is set up, which is no JSON.
func isCloudTrailValidation(body []byte) bool {
	return bytes.HasPrefix(bytes.ToLower(body), []byte("cloudtrail validation message"))
}

func named(o bucket.Object) error {
	switch {
	case o.Bucket == "":
		return errors.New("names no bucket")
	case o.Key == "":
		return errors.New("names no object")
	}
	return nil
}

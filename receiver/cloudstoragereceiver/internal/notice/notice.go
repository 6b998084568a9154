// Package notice parses the messages with which clouds announce new objects.
//
// It knows those of Amazon S3, also through SNS and EventBridge, and of CloudTrail; Azure's Event Grid in both of its schemas; and
// Google's Pub/Sub notifications.
package notice

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

// Kind is what a message is.
type Kind string

// Kinds of messages.
const (
	Objects Kind = "objects" // names objects that are to be read
	Test    Kind = "test"    // S3's test event, a subscription's confirmation or validation: nothing to do
	Ignored Kind = "ignored" // a deletion or another event that brings no new content
)

// Notice is what a message says.
type Notice struct {
	Kind    Kind
	Objects []bucket.Object // of kind Objects, at least one
	Event   string          // the event as the cloud calls it; of several the first
}

// maxWrappings is how deep a message may be wrapped: EventBridge to SNS to SQS are two.
const maxWrappings = 4

var errUnknown = errors.New("neither a notification of S3, SNS, EventBridge or CloudTrail, nor of Event Grid or Google Cloud Storage")

// Parse reads a message. attributes are those that Pub/Sub sends beside the body. Its error says why the message is no
// notification.
func Parse(body []byte, attributes map[string]string) (Notice, error) {
	if attributes["eventType"] != "" && attributes["bucketId"] != "" {
		return google(attributes), nil
	}
	return parse(body, maxWrappings)
}

func parse(body []byte, wrappings int) (Notice, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\uFEFF")))
	if wrappings == 0 {
		return Notice{}, errors.New("wrapped too often")
	}
	if len(body) == 0 {
		return Notice{}, errors.New("empty message")
	}
	switch body[0] {
	case '{':
		return object(body, wrappings)
	case '[':
		return array(body)
	case '"': // an SNS message that was quoted once more
		var text string
		if err := json.Unmarshal(body, &text); err != nil {
			return Notice{}, fmt.Errorf("broken JSON: %w", err)
		}
		return parse([]byte(text), wrappings-1)
	}
	if isCloudTrailValidation(body) {
		return Notice{Kind: Test, Event: "CloudTrail validation"}, nil
	}
	// Event Grid puts its messages into storage queues in base64.
	if plain, err := base64.StdEncoding.DecodeString(string(body)); err == nil && len(plain) > 0 {
		return parse(plain, wrappings-1)
	}
	return Notice{}, errUnknown
}

// object tells the shapes apart by names that no other has.
func object(body []byte, wrappings int) (Notice, error) {
	var shape struct {
		Type        string          `json:"Type"` // SNS
		Message     *string         `json:"Message"`
		TopicARN    string          `json:"TopicArn"`
		Records     json.RawMessage `json:"Records"`  // S3
		Event       string          `json:"Event"`    // S3's test
		S3Bucket    string          `json:"s3Bucket"` // CloudTrail
		Source      string          `json:"source"`   // EventBridge
		DetailType  string          `json:"detail-type"`
		EventType   string          `json:"eventType"` // Event Grid
		SpecVersion string          `json:"specversion"`
		Kind        string          `json:"kind"` // Google's JSON, without attributes
	}
	if err := json.Unmarshal(body, &shape); err != nil {
		return Notice{}, fmt.Errorf("broken JSON: %w", err)
	}
	switch {
	case shape.TopicARN != "" && shape.Type != "":
		return sns(shape.Type, shape.Message, wrappings)
	case shape.Event == "s3:TestEvent":
		return Notice{Kind: Test, Event: shape.Event}, nil
	case len(shape.Records) > 0:
		return s3Records(shape.Records)
	case shape.S3Bucket != "":
		return cloudTrail(body)
	case shape.Source == "aws.s3" && shape.DetailType != "":
		return eventBridge(body)
	case shape.SpecVersion != "" || shape.EventType != "":
		return eventGrid([]json.RawMessage{body})
	case shape.Kind == "storage#object":
		return googleJSON(body)
	}
	return Notice{}, errUnknown
}

// array is a batch of Event Grid's.
func array(body []byte) (Notice, error) {
	var events []json.RawMessage
	if err := json.Unmarshal(body, &events); err != nil {
		return Notice{}, fmt.Errorf("broken JSON: %w", err)
	}
	if len(events) == 0 {
		return Notice{}, errUnknown
	}
	return eventGrid(events)
}

// gathered is the notice of several events of which some may bring nothing.
func gathered(objects []bucket.Object, event string) Notice {
	if len(objects) == 0 {
		return Notice{Kind: Ignored, Event: event}
	}
	return Notice{Kind: Objects, Objects: objects, Event: event}
}

package notice

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

const (
	blobCreated  = "Microsoft.Storage.BlobCreated"
	validation   = "Microsoft.EventGrid.SubscriptionValidationEvent"
	subjectStart = "/blobServices/default/containers/"
)

// eventGrid reads events in Event Grid's own schema (eventType) or as CloudEvents (type).
// Source: https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
func eventGrid(events []json.RawMessage) (Notice, error) {
	var objects []bucket.Object
	first := ""
	validations := 0
	for i, raw := range events {
		var event struct {
			EventType   string `json:"eventType"`
			Type        string `json:"type"`
			SpecVersion string `json:"specversion"`
			Subject     string `json:"subject"`
			Data        struct {
				URL      string `json:"url"`
				ETag     string `json:"eTag"`
				BlobType string `json:"blobType"`
				Size     int64  `json:"contentLength"`
			} `json:"data"`
		}
		if err := json.Unmarshal(raw, &event); err != nil {
			return Notice{}, fmt.Errorf("event %d: %w", i, err)
		}
		kind := event.EventType
		if kind == "" && event.SpecVersion != "" {
			kind = event.Type
		}
		if first == "" {
			first = kind
		}
		switch {
		case kind == validation:
			validations++
			continue
		case !strings.HasPrefix(kind, "Microsoft.Storage."):
			return Notice{}, fmt.Errorf("event %d: type %.60q, want %s", i, kind, blobCreated)
		case kind != blobCreated:
			continue
		}
		o := bucket.Object{ETag: unquoted(event.Data.ETag), Size: event.Data.Size, Grows: event.Data.BlobType == "AppendBlob"}
		if at, err := url.Parse(event.Data.URL); err == nil {
			o.Account = at.Host
		}
		// The subject holds the name as it is, the URL an encoded one.
		path, ok := strings.CutPrefix(event.Subject, subjectStart)
		if ok {
			o.Bucket, o.Key, ok = strings.Cut(path, "/blobs/")
		}
		if !ok || o.Bucket == "" || o.Key == "" {
			return Notice{}, fmt.Errorf("event %d: subject %.100q names no blob", i, event.Subject)
		}
		objects = append(objects, o)
	}
	if validations == len(events) {
		return Notice{Kind: Test, Event: first}, nil
	}
	return gathered(objects, first), nil
}

func unquoted(etag string) string { return strings.Trim(etag, `"`) }

// google reads a notification of Cloud Storage from its attributes, which are there whatever its payload is.
// Source: https://cloud.google.com/storage/docs/pubsub-notifications
func google(attributes map[string]string) Notice {
	event := attributes["eventType"]
	if event != "OBJECT_FINALIZE" || attributes["objectId"] == "" {
		return Notice{Kind: Ignored, Event: event}
	}
	generation := attributes["objectGeneration"]
	return gathered([]bucket.Object{{
		Bucket: attributes["bucketId"], Key: attributes["objectId"], Version: generation, ETag: generation,
	}}, event)
}

// googleJSON reads the payload alone, for messages that lost their attributes on the way.
func googleJSON(body []byte) (Notice, error) {
	var object struct {
		Bucket     string `json:"bucket"`
		Name       string `json:"name"`
		Generation string `json:"generation"`
		Size       int64  `json:"size,string"`
	}
	if err := json.Unmarshal(body, &object); err != nil {
		return Notice{}, fmt.Errorf("storage#object: %w", err)
	}
	o := bucket.Object{Bucket: object.Bucket, Key: object.Name, Version: object.Generation, ETag: object.Generation, Size: object.Size}
	if err := named(o); err != nil {
		return Notice{}, errors.Join(errors.New("storage#object"), err)
	}
	return gathered([]bucket.Object{o}, "storage#object"), nil
}

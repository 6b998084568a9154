package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/queueerror"

	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

const (
	storageQueuePerRequest = 32 // what the service hands out at once at most
	// storageQueueIdle is the longest wait between requests that bring nothing: the service has no long poll.
	storageQueueIdle = 10 * time.Second
)

// StorageQueueOptions say which queue and as whom.
type StorageQueueOptions struct {
	QueueURL          string // https://<account>.queue.core.windows.net/<queue>
	ConnectionString  string // with Queue, instead of QueueURL
	Queue             string
	VisibilityTimeout time.Duration
}

type storageQueue struct{ puller }

// NewStorageQueue does not connect.
func NewStorageQueue(opts StorageQueueOptions) (Queue, error) {
	options := &azqueue.ClientOptions{ClientOptions: bucket.AzureClientOptions()}
	var client *azqueue.QueueClient
	var err error
	if opts.ConnectionString != "" {
		client, err = azqueue.NewQueueClientFromConnectionString(opts.ConnectionString, opts.Queue, options)
	} else {
		var credential azcore.TokenCredential
		if credential, err = azidentity.NewDefaultAzureCredential(nil); err == nil {
			client, err = azqueue.NewQueueClient(opts.QueueURL, credential, options)
		}
	}
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(client.URL(), "?")
	q := &storageQueue{puller{
		name: name, lease: opts.VisibilityTimeout, perRequest: storageQueuePerRequest, maxIdle: storageQueueIdle, lost: storageQueueLost,
	}}
	seconds := int32(opts.VisibilityTimeout / time.Second)
	q.pull = func(ctx context.Context, n int) ([]leased, error) {
		number := int32(n)
		out, err := client.DequeueMessages(ctx, &azqueue.DequeueMessagesOptions{NumberOfMessages: &number, VisibilityTimeout: &seconds})
		if err != nil {
			return nil, storageQueueHint(err)
		}
		messages := make([]leased, 0, len(out.Messages))
		for _, m := range out.Messages {
			if m != nil && m.MessageID != nil && m.PopReceipt != nil && m.MessageText != nil {
				messages = append(messages, storageQueueMessage(client, m))
			}
		}
		return messages, nil
	}
	return q, nil
}

// storageQueueMessage: each extension brings a new receipt, without which the next request is refused. The lease is
// extended and ended by one goroutine after the other, never by two at once.
func storageQueueMessage(client *azqueue.QueueClient, m *azqueue.DequeuedMessage) leased {
	receipt := *m.PopReceipt
	out := leased{Message: Message{ID: *m.MessageID, Body: []byte(*m.MessageText)}}
	if m.DequeueCount != nil {
		out.Tries = int(*m.DequeueCount)
	}
	if m.InsertionTime != nil {
		out.Sent = *m.InsertionTime
	}
	out.extend = func(ctx context.Context, by time.Duration) error {
		seconds := int32(by / time.Second)
		// The service wants the text again, and replaces it.
		updated, err := client.UpdateMessage(ctx, *m.MessageID, receipt, *m.MessageText, &azqueue.UpdateMessageOptions{VisibilityTimeout: &seconds})
		if err == nil && updated.PopReceipt != nil {
			receipt = *updated.PopReceipt
		}
		return err
	}
	out.remove = func(ctx context.Context) error {
		_, err := client.DeleteMessage(ctx, *m.MessageID, receipt, nil)
		return err
	}
	return out
}

func (q *storageQueue) Name() string { return q.name }
func (q *storageQueue) Close() error { return nil }

func storageQueueLost(err error) bool {
	return queueerror.HasCode(err, queueerror.PopReceiptMismatch, queueerror.MessageNotFound)
}

func storageQueueHint(err error) error {
	hint := ""
	var response *azcore.ResponseError
	switch {
	case queueerror.HasCode(err, queueerror.QueueNotFound):
		hint = "set notifications::storage_queue to a queue that exists"
	case queueerror.HasCode(err, queueerror.AuthorizationPermissionMismatch):
		hint = "give this identity the role Storage Queue Data Message Processor"
	case errors.As(err, &response) && response.StatusCode == 403:
		hint = "the credentials are wrong, or the account's network rules refuse this machine"
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%s: %w", hint, err)
}

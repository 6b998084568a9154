package queue

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/siempipe/siempipe/internal/collector/backoff"
)

// maxHold is how long a message is kept on lease: as long as SQS allows.
const maxHold = 12 * time.Hour

// maxNackDelay bounds how long a message that failed keeps its slot from others.
const maxNackDelay = 10 * time.Second

// PubSubOptions say which subscription. Credentials are found as Google's tools do (application default credentials).
type PubSubOptions struct {
	Project      string
	Subscription string
	Endpoint     string // of another service than Google's; with http:// it is asked without TLS and credentials
}

type pubSub struct {
	client *pubsub.Client
	opts   PubSubOptions
}

// NewPubSub does not wait for a connection.
func NewPubSub(ctx context.Context, opts PubSubOptions) (Queue, error) {
	var options []option.ClientOption
	if host, ok := strings.CutPrefix(opts.Endpoint, "http://"); ok {
		options = append(options, option.WithEndpoint(strings.TrimRight(host, "/")), option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	} else if opts.Endpoint != "" {
		options = append(options, option.WithEndpoint(strings.TrimPrefix(opts.Endpoint, "https://")))
	}
	client, err := pubsub.NewClient(ctx, opts.Project, options...)
	if err != nil {
		return nil, err
	}
	return &pubSub{client: client, opts: opts}, nil
}

func (q *pubSub) Name() string {
	return "projects/" + q.opts.Project + "/subscriptions/" + q.opts.Subscription
}

func (q *pubSub) Close() error { return q.client.Close() }

// Receive leaves leases to the client, which extends them while the handler runs.
func (q *pubSub) Receive(ctx context.Context, concurrency int, handle Handler, report func(error)) {
	var working atomic.Bool
	failures := backoff.Backoff{First: firstBackoff, Max: maxBackoff}
	for ctx.Err() == nil {
		subscriber := q.client.Subscriber(q.opts.Subscription)
		subscriber.ReceiveSettings.MaxOutstandingMessages = concurrency
		subscriber.ReceiveSettings.MaxOutstandingBytes = -1
		subscriber.ReceiveSettings.NumGoroutines = 1
		subscriber.ReceiveSettings.MaxExtension = maxHold
		err := subscriber.Receive(ctx, func(ctx context.Context, m *pubsub.Message) {
			if !working.Swap(true) {
				report(nil)
			}
			q.handleMessage(ctx, m, handle)
		})
		if err == nil {
			return
		}
		if working.Swap(false) {
			failures.Reset()
		}
		report(pubSubHint(err))
		_ = backoff.Sleep(ctx, failures.Next())
	}
}

func (q *pubSub) handleMessage(ctx context.Context, m *pubsub.Message, handle Handler) {
	tries := 0
	if m.DeliveryAttempt != nil { // only of subscriptions with a dead-letter policy
		tries = *m.DeliveryAttempt
	}
	verdict := handle(ctx, Message{ID: m.ID, Body: m.Data, Attributes: m.Attributes, Tries: tries, Sent: m.PublishTime})
	if verdict.Delete {
		_, _ = m.AckWithResult().Get(context.WithoutCancel(ctx)) // where that fails it comes again
		return
	}
	// A nack is taken at once or after the subscription's own retry policy: the wait has to be here, with the slot.
	_ = backoff.Sleep(ctx, min(verdict.Delay, maxNackDelay))
	m.Nack()
}

func pubSubHint(err error) error {
	switch status.Code(err) {
	case codes.NotFound:
		return fmt.Errorf("set notifications::pubsub to a subscription that exists: %w", err)
	case codes.PermissionDenied:
		return fmt.Errorf("give this identity the role Pub/Sub Subscriber on the subscription: %w", err)
	}
	return err
}

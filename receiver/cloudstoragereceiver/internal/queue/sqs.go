package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	cloudaws "github.com/siempipe/siempipe/internal/cloud/aws"
)

const (
	sqsPerRequest = 10               // what SQS hands out at once at most
	sqsWait       = 20 * time.Second // the longest poll: fewest requests that bring nothing
)

// SQSOptions say which queue and as whom.
type SQSOptions struct {
	cloudaws.Options
	QueueURL          string
	Endpoint          string // of another service than AWS's
	VisibilityTimeout time.Duration
}

type sqsQueue struct{ puller }

// NewSQS does not connect.
func NewSQS(ctx context.Context, opts SQSOptions) (Queue, error) {
	cfg, err := cloudaws.Load(ctx, opts.Options)
	if err != nil {
		return nil, err
	}
	client := sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		if opts.Endpoint != "" {
			o.BaseEndpoint = aws.String(opts.Endpoint)
		}
	})
	q := &sqsQueue{puller{name: opts.QueueURL, lease: opts.VisibilityTimeout, perRequest: sqsPerRequest, lost: sqsLost}}
	q.pull = func(ctx context.Context, n int) ([]leased, error) {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &opts.QueueURL, MaxNumberOfMessages: int32(n), WaitTimeSeconds: int32(sqsWait / time.Second),
			VisibilityTimeout: int32(opts.VisibilityTimeout / time.Second),
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{
				types.MessageSystemAttributeNameApproximateReceiveCount, types.MessageSystemAttributeNameSentTimestamp,
			},
		})
		if err != nil {
			return nil, hinted(err)
		}
		messages := make([]leased, 0, len(out.Messages))
		for i := range out.Messages {
			messages = append(messages, sqsMessage(client, opts.QueueURL, &out.Messages[i]))
		}
		return messages, nil
	}
	return q, nil
}

func sqsMessage(client *sqs.Client, url string, m *types.Message) leased {
	out := leased{Message: Message{ID: aws.ToString(m.MessageId), Body: []byte(aws.ToString(m.Body))}}
	out.Tries, _ = strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
		out.Sent = time.UnixMilli(ms)
	}
	out.extend = func(ctx context.Context, by time.Duration) error {
		_, err := client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
			QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: int32(by / time.Second),
		})
		return err
	}
	out.remove = func(ctx context.Context) error {
		_, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
		return err
	}
	return out
}

func (q *sqsQueue) Name() string { return q.name }
func (q *sqsQueue) Close() error { return nil }

// sqsLost: the message is no longer ours, or has been held for the twelve hours that SQS allows.
func sqsLost(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue", "AWS.SimpleQueueService.MessageNotInflight":
		return true
	}
	return false
}

// sqsHints says how to fix what an administrator can fix.
var sqsHints = map[string]string{
	"AccessDenied":                            "allow sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility on the queue to this role",
	"AccessDeniedException":                   "allow sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility on the queue to this role",
	"QueueDoesNotExist":                       "set notifications::sqs::queue_url to a queue that exists, and region to its region",
	"AWS.SimpleQueueService.NonExistentQueue": "set notifications::sqs::queue_url to a queue that exists, and region to its region",
	"InvalidClientTokenId":                    "the access key does not exist; set another",
	"SignatureDoesNotMatch":                   "the secret key does not belong to the access key",
	"ExpiredToken":                            "the credentials have expired; renew them",
}

func hinted(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		if hint, ok := sqsHints[api.ErrorCode()]; ok {
			return fmt.Errorf("%s: %w", hint, err)
		}
	}
	return err
}

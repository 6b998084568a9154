package peers

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Moto is a running moto: S3 whose events go to SQS. It checks no signatures; StartS3 is for those.
type Moto struct {
	Endpoint, Region, Account string
}

// StartMoto starts moto_server, a Python program that cannot be built from a Go module (pip install 'moto[server]').
// Where it is missing the test is skipped, and make test says so at its end.
func StartMoto(t *testing.T) *Moto {
	t.Helper()
	binary, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skipf("peer: THIS TEST DID NOT RUN: %v: install it with pip install 'moto[server]'", err)
	}
	address := FreeAddress(t)
	host, port, _ := strings.Cut(address, ":")
	cmd := exec.Command(binary, "-H", host, "-p", port)
	cmd.Env = append(os.Environ(), "MOTO_ACCOUNT_ID=123456789012")
	Start(t, address, cmd)
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "peer", "AWS_SECRET_ACCESS_KEY": "peer-secret", "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-east-1",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	return &Moto{Endpoint: "http://" + address, Region: "us-east-1", Account: "123456789012"}
}

func (m *Moto) credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("peer", "peer-secret", "")
}

// S3 is a client of its S3.
func (m *Moto) S3() *s3.Client {
	return s3.New(s3.Options{
		Region: m.Region, BaseEndpoint: aws.String(m.Endpoint), UsePathStyle: true, Credentials: m.credentials(),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
}

// SQS is a client of its SQS.
func (m *Moto) SQS() *sqs.Client {
	return sqs.New(sqs.Options{Region: m.Region, BaseEndpoint: aws.String(m.Endpoint), Credentials: m.credentials()})
}

// CreateQueue makes a queue and returns its address and ARN. With maxReceives, messages handed out more often go to a
// dead-letter queue, whose address is returned too.
func (m *Moto) CreateQueue(t testing.TB, name string, maxReceives string) (url, arn, deadURL string) {
	t.Helper()
	ctx, client := context.Background(), m.SQS()
	attributes := map[string]string{}
	if maxReceives != "" {
		var deadARN string
		deadURL, deadARN, _ = m.CreateQueue(t, name+"-dead", "")
		attributes["RedrivePolicy"] = `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":"` + maxReceives + `"}`
	}
	queue, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatalf("peer: create queue %s: %v", name, err)
	}
	return *queue.QueueUrl, "arn:aws:sqs:" + m.Region + ":" + m.Account + ":" + name, deadURL
}

// CreateBucket makes a bucket whose events of new objects go to a queue.
func (m *Moto) CreateBucket(t testing.TB, bucket, queueARN string) {
	t.Helper()
	ctx, client := context.Background(), m.S3()
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatalf("peer: create bucket %s: %v", bucket, err)
	}
	if queueARN == "" {
		return
	}
	_, err := client.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{
		Bucket: &bucket,
		NotificationConfiguration: &s3types.NotificationConfiguration{QueueConfigurations: []s3types.QueueConfiguration{{
			QueueArn: &queueARN, Events: []s3types.Event{"s3:ObjectCreated:*"},
		}}},
	})
	if err != nil {
		t.Fatalf("peer: notifications of %s: %v", bucket, err)
	}
}

// Waiting counts the messages of a queue, on lease or not.
func (m *Moto) Waiting(t testing.TB, url string) (n int) {
	t.Helper()
	out, err := m.SQS().GetQueueAttributes(context.Background(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatalf("peer: attributes of %s: %v", url, err)
	}
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		for _, c := range out.Attributes[name] {
			if c < '0' || c > '9' {
				t.Fatalf("peer: %s of %s is %q", name, url, out.Attributes[name])
			}
		}
		count := 0
		for _, c := range out.Attributes[name] {
			count = 10*count + int(c-'0')
		}
		n += count
	}
	return n
}

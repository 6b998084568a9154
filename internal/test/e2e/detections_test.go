package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// detecting is a collector with the detection processor between the siem processor and both exporters, and what it left.
type detecting struct {
	dir      string // of tree and state
	listener *harness.Listener
	receiver string // further receiver, in the form of the lines under receivers:
	names    string // of receivers
	rules    string // the processor's key rules
	*running
}

func newDetecting(t *testing.T) *detecting {
	t.Helper()
	listener, err := harness.Listen("127.0.0.1:0", nil)
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return &detecting{dir: t.TempDir(), listener: listener, names: "findings", rules: "[builtin]"}
}

func (d *detecting) start(t *testing.T) {
	t.Helper()
	r := &running{receiver: freeAddr(t), health: freeAddr(t), metrics: freeAddr(t), log: &safeBuffer{}}
	_, metricsPort, err := net.SplitHostPort(r.metrics)
	require.NoError(t, err)
	config := fmt.Sprintf(`
receivers:
  findings:
    endpoint: %s
%s
processors:
  siem:
  detection:
    rules: %s
    storage: file_storage
    reload_interval: 100ms
exporters:
  panoptica_s3:
    directory: %s
%s
  pipe_syslog:
    endpoint: %s
    tls: {insecure: true}
%s
extensions:
  health_check:
    endpoint: %s
  file_storage:
    directory: %s
    create_directory: true
service:
  extensions: [health_check, file_storage]
  telemetry:
    metrics:
      readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %s}}}}]
  pipelines:
    logs:
      receivers: [%s]
      processors: [siem, detection]
      exporters: [panoptica_s3, pipe_syslog]
`, r.receiver, d.receiver, d.rules, filepath.Join(d.dir, "tree"), fast, d.listener.Addr(), fast, r.health, filepath.Join(d.dir, "state"), metricsPort, d.names)
	path := filepath.Join(d.dir, "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	r.Collector, err = harness.Start(binary, r.log, nil, "--config", path)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = r.Stop(stopTimeout)
		if t.Failed() {
			t.Logf("the collector's log:\n%s", r.log)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), arriveTimeout)
	defer cancel()
	require.NoError(t, r.WaitReady(ctx, "http://"+r.health))
	d.running = r
}

// stop ends the collector; the queues are empty then.
func (d *detecting) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, d.Stop(stopTimeout))
}

// findings are the detections in the tree and among the messages, which must say the same.
func (d *detecting) findings(t *testing.T) (lines, messages []string) {
	t.Helper()
	objects, err := harness.Tree(filepath.Join(d.dir, "tree"))
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	for _, o := range objects {
		for _, line := range o.Lines {
			if strings.Contains(line, `"rule_id":`) {
				assert.Equal(t, "other", o.Segments()[1], o.Key)
				lines = append(lines, line)
			}
		}
	}
	if len(lines) > 0 {
		checkFindings(t, objects)
	}
	all, errs := d.listener.Messages()
	require.Empty(t, errs)
	for _, m := range all {
		if strings.Contains(m, "|Event:other|") {
			messages = append(messages, m)
		}
	}
	return lines, messages
}

func passwordPolicyCall(id, eventTime string) string {
	return `{"eventVersion":"1.09","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/eve","accountId":"111122223333","userName":"eve"},"eventTime":"` + eventTime +
		`","eventSource":"iam.amazonaws.com","eventName":"GetAccountPasswordPolicy","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","userAgent":"aws-cli/2.15","requestParameters":null,"responseElements":null,"requestID":"r-` + id +
		`","eventID":"` + id + `","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}`
}

// TestDetectionFromS3: a CloudTrail object in a bucket with two password policy calls within half an hour becomes one
// finding in the tree and one message.
func TestDetectionFromS3(t *testing.T) {
	server := peers.StartS3(t)
	server.CreateBucket(t, "trail")
	var object bytes.Buffer
	zip := gzip.NewWriter(&object)
	_, err := zip.Write([]byte(`{"Records":[` + strings.Join([]string{
		passwordPolicyCall("e-1", "2024-05-01T10:00:00Z"),
		strings.Replace(passwordPolicyCall("e-2", "2024-05-01T10:05:00Z"), "GetAccountPasswordPolicy", "ListUsers", 1),
		passwordPolicyCall("e-3", "2024-05-01T10:29:00Z"),
	}, ",") + `]}`))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	bucket, key := "trail", "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/01/111122223333_CloudTrail_us-east-1_20240501T1030Z_abcdefgh.json.gz"
	_, err = server.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(object.Bytes())})
	require.NoError(t, err)

	d := newDetecting(t)
	d.names = "findings, cloud_storage"
	d.receiver = fmt.Sprintf(`  cloud_storage:
    format: aws.cloudtrail
    s3: {bucket: trail, region: %s, endpoint: %s, force_path_style: true}
    poll: {interval: 1s}
    storage: file_storage
`, server.Region, server.Endpoint)
	d.start(t)
	d.waitSent(t, "panoptica_s3", 4)
	d.waitSent(t, "pipe_syslog", 4)
	d.stop(t)
	lines, messages := d.findings(t)
	require.Len(t, lines, 1)
	require.Len(t, messages, 1)
	for _, want := range []string{
		`"attack_scenario":"Password Policy Discovery detected in AWS CloudTrail from [arn:aws:iam::111122223333:user/eve]"`, `"severity":"Information"`, `"provider":"AWS"`,
		`"account_id":"111122223333"`, `"related_resources":[["arn:aws:iam::111122223333:user/eve"]]`, `"labels":["TA0007","T1201"]`, `"count":2`,
		`"detection_timestamp":"2024-05-01T10:29:00Z"`, `"first_seen_timestamp":"2024-05-01T10:00:00Z"`, `"context":{"eventName":"GetAccountPasswordPolicy","eventSource":"iam.amazonaws.com",`,
	} {
		assert.Contains(t, lines[0], want)
	}
	assert.Contains(t, messages[0], "|Attack Scenario:Password Policy Discovery detected in AWS CloudTrail from [arn:aws:iam::111122223333:user/eve]|")
	objects, err := harness.Tree(filepath.Join(d.dir, "tree"))
	require.NoError(t, err)
	types := map[string]int{}
	for _, o := range objects {
		types[strings.Join(o.Segments()[1:4], "/")] += len(o.Lines)
	}
	assert.Equal(t, map[string]int{"AWS.CloudTrail/2024-05-01/111122223333": 3, "other/2024-05-01/111122223333": 1}, types)
}

// failedSignIns are n sign-ins that failed, one each second.
func failedSignIns(from, n int) string {
	var lines []string
	for i := from; i < from+n; i++ {
		at := time.Date(2024, 5, 1, 10, 0, i, 0, time.UTC).Format(time.RFC3339)
		lines = append(lines, fmt.Sprintf(`{"time":%q,"resourceId":"/tenants/t-1/providers/Microsoft.aadiam","operationName":"Sign-in activity","operationVersion":"1.0","category":"SignInLogs","tenantId":"t-1","resultType":"50126","correlationId":"c-%d","properties":{"id":"s-%d","userPrincipalName":"eve@example.com","ipAddress":"198.51.100.7","status":{"errorCode":50126,"failureReason":"Invalid username or password."}}}`, at, i, i))
	}
	return strings.Join(lines, "\n")
}

// TestDetectionOfFailedSignIns: nine are none, ten are one finding, and so they are with a restart after five.
func TestDetectionOfFailedSignIns(t *testing.T) {
	tests := map[string]struct {
		parts    []int // sign-ins between restarts
		kill     bool  // the restarts, but for the last
		findings int
	}{
		"nine":                      {[]int{9}, false, 0},
		"ten":                       {[]int{10}, false, 1},
		"restart after five":        {[]int{5, 5}, false, 1},
		"restart after ten":         {[]int{10, 15}, false, 1},
		"restart before four":       {[]int{5, 4}, false, 0},
		"killed after five":         {[]int{5, 5}, true, 1},
		"killed after every second": {[]int{2, 2, 2, 2, 2, 5}, true, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDetecting(t)
			sent := 0
			for i, n := range test.parts {
				d.start(t)
				d.post(t, "azure.signin", failedSignIns(sent, n))
				sent += n
				if test.kill && sent == 10 {
					waitFor(t, func() bool { lines, messages := d.findings(t); return len(lines)+len(messages) == 2 }, func() string { return "no finding" })
				}
				if test.kill && i < len(test.parts)-1 { // the answer 200 has promised that it is counted
					require.NoError(t, syscall.Kill(d.Pid(), syscall.SIGKILL))
					<-d.Done()
				} else {
					d.stop(t)
				}
			}
			lines, messages := d.findings(t)
			require.Len(t, lines, test.findings)
			require.Len(t, messages, test.findings)
			if test.findings == 1 {
				assert.Contains(t, lines[0], `"attack_scenario":"AzureSignIn: Multiple Failed LogIns for Principal [eve@example.com]"`)
				assert.Contains(t, lines[0], `"dedup":"eve@example.com"`)
				assert.Contains(t, lines[0], `"count":10`)
				assert.Contains(t, lines[0], `"context":{"tenantId":"t-1","source_ip":"198.51.100.7","actor_user":"eve@example.com",`)
			}
		})
	}
}

// TestDetectionRulesReload: a user's own rule beside those that are built in, broken and mended while the collector runs.
func TestDetectionRulesReload(t *testing.T) {
	d := newDetecting(t)
	own := filepath.Join(d.dir, "own.yml")
	rule := "title: Listing\nname: listing\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventName: %s}, condition: s}\nsiempipe: {title: 'Listed by {userIdentity.userName}'}\n"
	require.NoError(t, os.WriteFile(own, []byte("title: [\n"), 0o600))
	d.rules = "[builtin, " + own + "]"
	d.start(t)
	waitFor(t, func() bool {
		return strings.Contains(d.log.String(), "Rule left out") && strings.Contains(d.log.String(), own)
	}, d.log.String)
	require.NoError(t, os.WriteFile(own+".new", fmt.Appendf(nil, rule, "GetAccountPasswordPolicy"), 0o600))
	require.NoError(t, os.Rename(own+".new", own)) // in one step: a file that is being written may be read empty
	waitFor(t, func() bool { return strings.Count(d.log.String(), "Rules in force") >= 2 }, func() string { return "the rule is not reread" })
	d.post(t, "aws.cloudtrail", passwordPolicyCall("e-1", "2024-05-01T10:00:00Z")+"\n"+passwordPolicyCall("e-2", "2024-05-01T10:01:00Z"))
	d.stop(t)
	lines, _ := d.findings(t)
	require.Len(t, lines, 2)
	all := strings.Join(lines, "\n")
	assert.Contains(t, all, `"attack_scenario":"Listed by eve"`)
	assert.Contains(t, all, `"rule_id":"AWS.CloudTrail.Password.Policy.Discovery"`)
}

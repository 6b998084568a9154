package sigma

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cloudTrailEvent is a synthetic record of 2 KB, in Panther's columns as the siem processor writes them.
var cloudTrailEvent = `{"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"4pRf9nXyA0mYbHtx1bJm0Z9oQmA7vUuYcJt2n1C8oVYkqV2dHhMZrY0JpQ2r6T0yqk3n0x8o4yQ=","bytesTransferredOut":4096},"awsRegion":"eu-central-1","eventID":"0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0","eventName":"DescribeInstances","eventSource":"ec2.amazonaws.com","eventTime":"2024-09-15 17:16:00.000","eventType":"AwsApiCall","eventVersion":"1.09","managementEvent":true,"readOnly":true,"recipientAccountId":"111122223333","requestID":"a1b2c3d4-5678-90ab-cdef-111122223333","requestParameters":{"instancesSet":{"items":[{"instanceId":"i-0123456789abcdef0"},{"instanceId":"i-0fedcba9876543210"}]},"filterSet":{"items":[{"name":"vpc-id","valueSet":{"items":[{"value":"vpc-0a1b2c3d4e5f60718"}]}}]}},"resources":[{"arn":"arn:aws:ec2:eu-central-1:111122223333:instance/i-0123456789abcdef0","accountId":"111122223333","type":"AWS::EC2::Instance"}],"sourceIPAddress":"198.51.100.23","userAgent":"aws-cli/2.15.30 Python/3.11.8 Linux/6.1.0 exe/x86_64.debian.12 prompt/off command/ec2.describe-instances","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLEEXAMPLEEX:build-runner","arn":"arn:aws:sts::111122223333:assumed-role/ci-deployer/build-runner","accountId":"111122223333","accessKeyId":"ASIAEXAMPLEEXAMPLEEX","sessionContext":{"sessionIssuer":{"type":"User","principalId":"AROAEXAMPLEEXAMPLEEX","arn":"arn:aws:iam::111122223333:role/ci-deployer","accountId":"111122223333","userName":"ci-deployer"},"attributes":{"creationDate":"2024-09-15T16:58:03Z","mfaAuthenticated":"false"}}},"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"ec2.eu-central-1.amazonaws.com"},"p_any_aws_account_ids":["111122223333"],"p_any_aws_arns":["arn:aws:iam::111122223333:role/ci-deployer","arn:aws:sts::111122223333:assumed-role/ci-deployer/build-runner"],"p_event_time":"2024-09-15 17:16:00.000","p_log_type":"AWS.CloudTrail","p_row_id":"5f3a1b2c"}`

// syntheticRules writes n CloudTrail rules in the shapes that public rule sets have them: mostly an event source with
// one to five event names, some with a condition on the error, a filter, a user agent, and one in 57 with a regular
// expression and nothing to find it by.
func syntheticRules(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\ntitle: rule %d\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n", i)
		switch {
		case i%57 == 56:
			fmt.Fprintf(&b, "  selection: {userIdentity.arn|re: '.+:assumed-role/aws%d:.+'}\n  filter: {eventSource: ssm.amazonaws.com}\n  condition: selection and not filter\n", i)
		case i%10 == 9:
			fmt.Fprintf(&b, "  selection: {eventSource: service%d.amazonaws.com, requestParameters.layers|contains: '*', eventName|startswith: Update%d}\n  condition: selection\n", i, i)
		case i%10 == 8:
			fmt.Fprintf(&b, "  selection: {eventName: 'Get%d', userAgent|contains: [agent%d, tool%d]}\n  ok1: {errorCode: Success}\n  ok2: {errorCode: null}\n  condition: selection and 1 of ok*\n", i, i, i)
		default:
			fmt.Fprintf(&b, "  selection:\n    eventSource: service%d.amazonaws.com\n    eventName: [Create%d, Delete%d, Put%d]\n  condition: selection\n", i%40, i, i, i)
		}
	}
	return b.String()
}

func benchmarkMatch(b *testing.B, entries []Entry) {
	m := NewEngine(entries, Builtin()).NewMatcher()
	if hits := m.Match("AWS.CloudTrail", cloudTrailEvent); len(hits) != 0 {
		b.Fatalf("%d hits", len(hits))
	}
	b.SetBytes(int64(len(cloudTrailEvent)))
	b.ReportAllocs()
	for b.Loop() {
		m.Match("AWS.CloudTrail", cloudTrailEvent)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{57, 1000, 5000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			rules, problems := Parse("synthetic", []byte(syntheticRules(n)))
			if len(rules) != n || len(problems) != 0 {
				b.Fatalf("%d rules, %v", len(rules), problems)
			}
			entries := make([]Entry, n)
			for i := range rules {
				entries[i].Rule = rules[i]
			}
			benchmarkMatch(b, entries)
		})
	}
}

// BenchmarkCorpus is BenchmarkMatch with the rules of SIGMA_RULES.
func BenchmarkCorpus(b *testing.B) {
	dir := os.Getenv(corpusEnv)
	if dir == "" {
		b.Skip("set " + corpusEnv)
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*.yml"))
	var entries []Entry
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		rules, _ := Parse(path, text)
		for _, r := range rules {
			entries = append(entries, Entry{Rule: r})
		}
	}
	b.Logf("%d rules", len(entries))
	benchmarkMatch(b, entries)
}

// TestNothingIsAllocated for a record that no rule matches, and 1,000 rules cost little more than 57: only those without a
// value to be found by are looked at.
func TestNothingIsAllocated(t *testing.T) {
	for n, always := range map[int]int{57: 1, 1000: 17} {
		rules, _ := Parse("synthetic", []byte(syntheticRules(n)))
		entries := make([]Entry, n)
		for i := range rules {
			entries[i].Rule = rules[i]
		}
		m := NewEngine(entries, Builtin()).NewMatcher()
		allocs := testing.AllocsPerRun(100, func() {
			if len(m.Match("AWS.CloudTrail", cloudTrailEvent)) != 0 {
				t.Fatal("a rule matches")
			}
		})
		if allocs != 0 || len(m.candidates) != always || m.isFull {
			t.Errorf("%d rules: %v allocations, %d candidates, everything read: %v", n, allocs, len(m.candidates), m.isFull)
		}
	}
}

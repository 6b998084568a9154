package detect_test

import (
	"testing"
	"time"

	"github.com/siempipe/siempipe/internal/detect"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/rules"
)

// BenchmarkBuiltin holds a record that nothing matches, and one that two rules match, against the rules that are built in.
func BenchmarkBuiltin(b *testing.B) {
	loader := detect.Loader{Patterns: []string{detect.BuiltinName}, Builtin: rules.FS}
	set, _, _, err := loader.Load()
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name, body string
		matches    int
	}{
		{"none", `{"awsRegion":"eu-central-1","eventID":"0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0","eventName":"DescribeInstances","eventSource":"ec2.amazonaws.com","eventTime":"2024-09-15 17:16:00.000","eventType":"AwsApiCall","sourceIPAddress":"198.51.100.23","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/eve"}}`, 0},
		{"two", `{"awsRegion":"eu-central-1","eventID":"0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0","eventName":"ConsoleLogin","eventSource":"signin.amazonaws.com","errorCode":"AccessDenied","eventTime":"2024-09-15 17:16:00.000","responseElements":{"ConsoleLogin":"Failure"},"userIdentity":{"type":"IAMUser","userName":"eve","arn":"arn:aws:iam::111122223333:user/eve"}}`, 2},
	} {
		b.Run(bench.name, func(b *testing.B) {
			d := detect.NewDetector(detect.NewWindows(detect.Limits{}, time.Now))
			d.Use(set)
			w := d.NewWorker()
			rec := record.Record{EventType: "AWS.CloudTrail", Body: bench.body, Time: time.Unix(1_700_000_000, 0), ID: "x"}
			if n := len(w.Match(&rec)); n != bench.matches {
				b.Fatalf("%d matches, want %d", n, bench.matches)
			}
			b.SetBytes(int64(len(bench.body)))
			b.ReportAllocs()
			for b.Loop() {
				matches := w.Match(&rec)
				if len(matches) == 0 {
					continue
				}
				batch := d.Begin()
				var finding record.Record
				for i := range matches {
					batch.Add(&matches[i], &finding)
				}
				batch.Commit(nil)
			}
		})
	}
}

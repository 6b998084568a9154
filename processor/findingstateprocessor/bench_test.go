package findingstateprocessor

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/measure"
)

// benchFindings is how many findings are remembered; SIEMPIPE_FINDINGS sets another number.
func benchFindings(b testing.TB) int {
	n := 1_000_000
	if s := os.Getenv("SIEMPIPE_FINDINGS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(b, err)
	}
	return n
}

const benchBatch = 1000

// synthetic makes batches of findings of about 1 KB as they leave the siem processor, with ids as the vendor has them.
type synthetic struct {
	order []int32
	logs  plog.Logs
	buf   []byte
}

func newSynthetic(n int, shuffled bool) *synthetic {
	s := &synthetic{order: make([]int32, n), logs: plog.NewLogs()}
	for i := range s.order {
		s.order[i] = int32(i)
	}
	if shuffled {
		rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { s.order[i], s.order[j] = s.order[j], s.order[i] })
	}
	list := s.logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range benchBatch {
		attrs := list.AppendEmpty().Attributes()
		attrs.PutStr(record.AttrEventType, record.SecurityFinding)
		attrs.PutStr(record.AttrAccountID, "111122223333")
		attrs.PutStr(record.AttrTenantID, "id-1234")
		attrs.PutStr(record.AttrFormat, "panoptica")
		attrs.PutStr(record.AttrID, "")
	}
	return s
}

// batch fills the batch with the findings from a place on, as of a scan.
func (s *synthetic) batch(from int, at time.Time) plog.Logs {
	list := s.logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	for i := range benchBatch {
		n := s.order[(from+i)%len(s.order)]
		id := fmt.Sprintf("%08x-5bd1-4c0e-9d3a-%012x", uint32(n)*2654435761, n)
		s.buf = fmt.Appendf(s.buf[:0], `{"labels":["Sensitive","Known Admin"],"alert_id":"%s","asset_id":"arn:aws:ec2:eu-central-1:111122223333:instance/i-%017x","provider":"AWS","resolved":false,"severity":"High","tenant_id":"id-1234","account_id":"111122223333","description":"The instance %d is reachable from the internet on port 22 and its role can assume roles that administer the account. Anyone who gets onto it can take the account over. Restrict the security group to known addresses and take the permission to assume roles from its role, or replace it by a session manager that needs no open port at all.","resource_type":"Compute","risk_category":"Vulnerable Public Workload","detection_type":"security_finding","attack_scenario":"Publicly reachable instance with an administrative role","related_resources":[["arn:aws:ec2:eu-central-1:111122223333:instance/i-%017x","arn:aws:iam::111122223333:role/admin-%d"]],"detection_timestamp":"%s","first_seen_timestamp":"2024-01-02T03:04:05Z"}`,
			id, n, n, n, n%97, at.Format(time.RFC3339))
		lr := list.At(i)
		lr.Body().SetStr(string(s.buf))
		attrs := lr.Attributes()
		attrs.PutStr(record.AttrID, id)
		lr.SetTimestamp(pcommon.NewTimestampFromTime(at))
		lr.SetSeverityNumber(plog.SeverityNumberError)
	}
	return s.logs
}

// BenchmarkRecord: a record of a scan that repeats what is known, the state in a file storage. The first scan, with all
// findings new, is reported beside it, and so is what the state costs.
func BenchmarkRecord(b *testing.B) {
	n := benchFindings(b)
	for _, order := range []string{"same order", "shuffled"} {
		b.Run(order, func(b *testing.B) {
			r := newRig(b, defaults())
			count := &counter{}
			r.findingState.next = count
			first := newSynthetic(n, false)
			began := time.Now()
			var making time.Duration
			for from := 0; from < n; from += benchBatch {
				t := time.Now()
				logs := first.batch(from, r.clock)
				making += time.Since(t)
				require.NoError(b, r.ConsumeLogs(b.Context(), logs))
			}
			took := time.Since(began) - making
			require.Equal(b, n, count.n)
			r.clock = r.clock.Add(time.Hour)
			again := newSynthetic(n, order == "shuffled")
			from := 0
			for range n / benchBatch { // the second scan: everything is cached as it will be
				require.NoError(b, r.ConsumeLogs(b.Context(), again.batch(from, r.clock)))
				from += benchBatch
			}
			require.Equal(b, n, count.n, "nothing is new")
			var bytes int
			var cpu time.Duration
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += benchBatch {
				b.StopTimer()
				r.clock = r.clock.Add(time.Second / 300)
				logs := again.batch(from, r.clock)
				for _, lr := range records(logs) {
					bytes += len(lr.Body().Str())
				}
				from += benchBatch
				used := measure.CPU(b)
				b.StartTimer()
				require.NoError(b, r.ConsumeLogs(b.Context(), logs))
				b.StopTimer()
				cpu += measure.CPU(b) - used
			}
			b.SetBytes(int64(bytes / max(b.N, 1)))
			require.Equal(b, n, count.n, "nothing is new")
			require.NoError(b, r.tracker.Close(b.Context()))
			heap := measure.Heap()
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(took.Nanoseconds())/float64(n), "new-ns/op")
			b.ReportMetric(float64(diskBytes(b, r.dir))/float64(n), "disk-B/finding")
			b.ReportMetric(float64(heap)/float64(n), "heap-B/finding")
		})
	}
}

func diskBytes(t testing.TB, dir string) (n int64) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		n += info.Size()
	}
	return n
}

package detectionprocessor

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/test/harness"
)

// TestCorpus sends every record of the corpus, hostile ones too: all go on as they came, and every finding is valid.
func TestCorpus(t *testing.T) {
	cases, err := harness.Corpus("../../testdata")
	require.NoError(t, err)
	parser, err := format.NewParser(format.Options{Format: format.Auto})
	require.NoError(t, err)
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	types := map[string]bool{}
	for i := range cases {
		name := cases[i].PostFormat()
		err := payload.Cut(strings.NewReader(cases[i].Input), payload.Options{Format: name}, func(item payload.Item) error {
			var rec record.Record
			parser.ParseIn(item.Raw, format.Context{Format: name, Fields: item.Fields, Received: time.Unix(1_700_000_000, 0)}, &rec)
			logrecord.Write(&rec, records.AppendEmpty())
			types[rec.EventType] = true
			return nil
		})
		require.NoError(t, err, cases[i].Name)
	}
	require.Greater(t, records.Len(), 200)
	require.True(t, types["AWS.CloudTrail"] && types["Azure.SignIn"] && types["GCP.AuditLog"] && types[record.Invalid])
	want := plog.NewLogs()
	logs.CopyTo(want)
	s := &sink{}
	run(t, "", nil, s, func(p processor.Logs) { require.NoError(t, p.ConsumeLogs(t.Context(), logs)) })
	require.Len(t, s.logs, 1)
	assert.Equal(t, want.ResourceLogs().At(0).ScopeLogs().At(0), s.logs[0].ResourceLogs().At(0).ScopeLogs().At(0))
	require.NotEmpty(t, s.findings())
	for _, lr := range s.findings() {
		validate(t, lr.Body().Str())
	}
	t.Logf("%d records, %d findings", records.Len(), len(s.findings()))
}

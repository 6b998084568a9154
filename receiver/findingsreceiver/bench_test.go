package findingsreceiver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/siempipe/siempipe/processor/siemprocessor"
	"github.com/siempipe/siempipe/receiver/findingsreceiver/internal/metadata"
)

// BenchmarkServe is a request of newline-delimited findings through the receiver and the siem processor.
func BenchmarkServe(b *testing.B) {
	const records = 1000
	var body strings.Builder
	for i := range records {
		fmt.Fprintf(&body, `{"labels":["Sensitive","Internet Facing"],"alert_id":"f-%08d-3e0af324-b2dd-4c24-b952-37457c5882e2","provider":"AWS","resolved":false,`+
			`"severity":"High","tenant_id":"id-1234","account_id":"111122223333","resource_type":"Storage","risk_category":"Data Exposure",`+
			`"detection_type":"security_finding","attack_scenario":"Publicly readable bucket","risk_params":{"risk_score":87,"workload":{}},`+
			`"related_resources":[["arn:aws:s3:::acme-data-lake"]],"description":"%s","detection_timestamp":"2024-09-15T17:16:00Z"}`+"\n",
			i, strings.Repeat("A remote attacker may read every object. ", 14))
	}
	sinks := new(consumertest.LogsSink)
	siem := siemprocessor.NewFactory()
	cfg := siem.CreateDefaultConfig().(*siemprocessor.Config)
	cfg.Format = "panoptica"
	serve := func(f *findings) int {
		r := httptest.NewRequest(http.MethodPost, f.cfg.Path, strings.NewReader(body.String()))
		w := httptest.NewRecorder()
		f.serve(w, r)
		return w.Code
	}

	checked, err := siem.CreateLogs(b.Context(), processortest.NewNopSettings(siem.Type()), cfg, sinks)
	require.NoError(b, err)
	require.NoError(b, checked.Start(b.Context(), componenttest.NewNopHost()))
	f, err := newFindings(receivertest.NewNopSettings(metadata.Type), createDefaultConfig().(*Config), checked)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, serve(f))
	require.Equal(b, records, sinks.LogRecordCount())
	account, ok := sinks.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().Get("siem.account_id")
	require.True(b, ok)
	require.Equal(b, "111122223333", account.Str())

	discard, err := siem.CreateLogs(b.Context(), processortest.NewNopSettings(siem.Type()), cfg, consumertest.NewNop())
	require.NoError(b, err)
	f.next = discard
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if code := serve(f); code != http.StatusOK {
			b.Fatal(code)
		}
	}
}

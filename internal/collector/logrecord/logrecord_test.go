package logrecord

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/record"
)

func TestWriteThenRead(t *testing.T) {
	want := record.Record{
		Body:      `{"alert_id":"f-1"}`,
		Time:      time.Date(2024, 9, 15, 17, 16, 0, 123, time.UTC),
		Received:  time.Date(2024, 9, 15, 17, 17, 0, 0, time.UTC),
		Severity:  record.SeverityHigh,
		EventType: record.SecurityFinding,
		AccountID: "111122223333",
		TenantID:  "id-1",
		Format:    "panoptica",
		ID:        "f-1",
	}
	lr := plog.NewLogRecord()
	lr.Attributes().PutStr("log.file.name", "kept")
	lr.Attributes().PutStr(record.AttrError, "of an earlier life")
	Write(&want, lr)

	assert.Equal(t, map[string]any{
		"log.file.name": "kept", "siem.event_type": "security_finding", "siem.account_id": "111122223333",
		"siem.tenant_id": "id-1", "siem.format": "panoptica", "siem.id": "f-1",
	}, lr.Attributes().AsRaw())
	assert.Equal(t, plog.SeverityNumberError, lr.SeverityNumber())
	assert.Equal(t, "High", lr.SeverityText())

	var got record.Record
	require.NoError(t, Read(lr, &got))
	assert.Equal(t, want, got)
}

// TestReadNumbers: an account that somebody's statement made a number is the same account.
func TestReadNumbers(t *testing.T) {
	lr := plog.NewLogRecord()
	lr.Attributes().PutInt(record.AttrAccountID, 111122223333)
	lr.Attributes().PutDouble(record.AttrTenantID, 444455556666)
	var rec record.Record
	require.NoError(t, Read(lr, &rec))
	assert.Equal(t, "111122223333", rec.AccountID)
	assert.Equal(t, "444455556666", rec.TenantID)
}

func TestEverySeverityComesBack(t *testing.T) {
	for s := record.SeverityUnknown; s <= record.SeverityCritical; s++ {
		assert.Equal(t, s, severityOf(severityNumbers[s]), s.String())
	}
}

func TestTimesOutOfRange(t *testing.T) {
	for _, year := range []int{1, 1600, 1969, 2262, 9999} {
		rec := record.Record{Time: time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)}
		lr := plog.NewLogRecord()
		Write(&rec, lr)
		assert.Zero(t, lr.Timestamp(), year)
	}
}

func TestRaw(t *testing.T) {
	lr := plog.NewLogRecord()
	for want, set := range map[string]func(){
		`{"a":1}`:                func() { lr.Body().SetStr(`{"a":1}`) },
		"\xff\x00":               func() { lr.Body().SetEmptyBytes().FromRaw([]byte{0xff, 0}) },
		`{"a":["<b>",null,1.5]}`: func() { _ = lr.Body().FromRaw(map[string]any{"a": []any{"<b>", nil, 1.5}}) },
		"":                       func() { _ = lr.Body().FromRaw(nil) },
		"7":                      func() { lr.Body().SetInt(7) },
	} {
		set()
		got, err := Raw(lr)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	lr.Body().SetEmptyMap().PutDouble("x", math.NaN())
	_, err := Raw(lr)
	assert.Error(t, err)
}

func BenchmarkWrite(b *testing.B) {
	rec := record.Record{Body: "{}", Time: time.Now(), Received: time.Now(), EventType: record.Other, AccountID: "1", TenantID: "id", Format: "panoptica", ID: "x"}
	for name, attribute := range map[string]string{"empty": "", "with a file's name": "log.file.name"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				lr := plog.NewLogRecord()
				if attribute != "" {
					lr.Attributes().EnsureCapacity(1) // as file_log makes it
					lr.Attributes().PutStr(attribute, "findings.ndjson")
				}
				Write(&rec, lr)
			}
		})
	}
}

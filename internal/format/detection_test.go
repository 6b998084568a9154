package format

import (
	"testing"
	"time"

	"github.com/siempipe/siempipe/internal/record"
)

// TestDetectionAgain: a finding of the detection processor that comes through another collector stays what it is, and
// without its attribute it is a finding like any other.
func TestDetectionAgain(t *testing.T) {
	const body = `{"alert_id":"a1","detection_type":"other","attack_scenario":"T","severity":"High","resolved":false,"provider":"AWS","account_id":"111122223333","rule_id":"r","dedup":"T","detection_timestamp":"2024-05-01T10:00:00Z","first_seen_timestamp":"2024-05-01T10:00:00Z","count":2,"sample_event_ids":["x"]}`
	p, err := NewParser(Options{Format: Auto})
	if err != nil {
		t.Fatal(err)
	}
	for format, want := range map[string]string{record.FormatDetection: record.FormatDetection, "": "panoptica"} {
		var rec record.Record
		p.Parse(body, format, time.Now(), &rec)
		if rec.EventType != record.Other || rec.Format != want || rec.ID != "a1" || rec.Body != body || rec.AccountID != "111122223333" {
			t.Errorf("%q: %+v", format, rec)
		}
	}
}

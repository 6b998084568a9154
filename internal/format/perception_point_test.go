package format_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/pipe"
	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

var scanReceived = time.Unix(1700000000, 0).UTC()

// scanInputs are the inputs of both formats.
func scanInputs(t testing.TB) map[string]string {
	t.Helper()
	inputs := map[string]string{}
	for _, name := range []string{"perception_point", "perception_point_syslog"} {
		files, err := filepath.Glob(filepath.Join("..", "..", "testdata", name, "*.in"))
		if err != nil || len(files) < 12 {
			t.Fatalf("%s: %d cases, %v", name, len(files), err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			inputs[name+"/"+filepath.Base(file)] = string(raw)
		}
	}
	return inputs
}

// checkScan holds what is true of every scan: parsing its body again gives the same record, and every message of it has
// its id and verdict.
func checkScan(t testing.TB, raw string) {
	t.Helper()
	p, err := format.NewParser(format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var rec, again record.Record
	p.Parse(raw, "", scanReceived, &rec)
	if !json.Valid([]byte(rec.Body)) || strings.ContainsAny(rec.Body, "\n\r") {
		t.Fatalf("body %q", rec.Body)
	}
	if rec.Format != "perception_point" && rec.Format != "perception_point_syslog" || rec.EventType == record.Invalid {
		return
	}
	p.Parse(rec.Body, rec.Format, scanReceived, &again)
	if again != rec {
		t.Fatalf("parsed again:\n%+v\nwant\n%+v", again, rec)
	}
	if rec.ID == "" || len(rec.Body) > 100<<10 {
		return
	}
	e, err := pipe.New(encode.Config{})
	if err != nil {
		t.Fatal(err)
	}
	msg, ends, _, err := e.Append(nil, nil, &rec, jsonscan.Known{}, pipe.DefaultMaxLength)
	if err != nil || len(ends) != 1 || len(msg) > pipe.DefaultMaxLength {
		t.Fatalf("%v: %s", err, msg)
	}
}

func TestScansAgain(t *testing.T) {
	for name, raw := range scanInputs(t) {
		t.Run(name, func(t *testing.T) { checkScan(t, raw) })
	}
}

// TestScanKeysAgree: a scan that comes both ways has the same values under the same keys.
func TestScanKeysAgree(t *testing.T) {
	p, err := format.NewParser(format.Options{TenantID: "id-1"})
	if err != nil {
		t.Fatal(err)
	}
	var line, api record.Record
	p.Parse(`datetime:1686131445.25|Scan ID:X_1_a|Event:Email Scanned|IP Address:192.0.2.7|Subject:a | b|Message ID:<m>|To:x@a,y@a|From: F <f@b>|Layers:spf,av|Verdict:MAL|Action:Quarantined|Sample:aa`, "", scanReceived, &line)
	p.Parse(`{"full_scan_id":"X_1_a","finished_at":1686131445.25,"origin":"email","verbose_verdict":"MAL","verbose_action":"Quarantined","scan_layers":["spf",{"name":"av"}],`+
		`"sample":{"source_ip":"192.0.2.7","subject":"a | b","message_id":"<m>","recipients":["x@a","y@a"],"from_address":"F <f@b>","sha256":"aa"}}`, "", scanReceived, &api)
	if !strings.HasSuffix(api.Body, ","+strings.TrimPrefix(line.Body, "{")) {
		t.Errorf("%s\ndoes not end with\n%s", api.Body, line.Body)
	}
	if line.ID != api.ID || line.EventType != api.EventType || line.Severity != api.Severity || !line.Time.Equal(api.Time) || line.TenantID != "id-1" || api.TenantID != "id-1" {
		t.Errorf("%+v\n%+v", line, api)
	}
}

func FuzzScan(f *testing.F) {
	for _, raw := range scanInputs(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) { checkScan(t, raw) })
}

func BenchmarkScan(b *testing.B) {
	inputs := scanInputs(b)
	for _, name := range []string{"perception_point/email_full.in", "perception_point/parsed_again.in", "perception_point_syslog/seed.in"} {
		b.Run(name, func(b *testing.B) {
			p, err := format.NewParser(format.Options{})
			if err != nil {
				b.Fatal(err)
			}
			raw := inputs[name]
			var rec record.Record
			p.Parse(raw, "", scanReceived, &rec)
			if rec.EventType != record.EmailScan || rec.ID == "" {
				b.Fatalf("%+v", rec)
			}
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				p.Parse(raw, "", scanReceived, &rec)
			}
		})
	}
}

// TestLineCutInsideBlanks: a line that the vendor cut inside the blanks of a hostile subject is as long as it came.
func TestLineCutInsideBlanks(t *testing.T) {
	line := "datetime:1|Scan ID:a|Event:Email Scanned|Subject:x|From:f|Layers:|Verdict:CLN|Sample:s"
	line += strings.Repeat(" ", 1024-len(line))
	for _, name := range []string{format.Auto, "perception_point_syslog"} {
		p, err := format.NewParser(format.Options{Format: name})
		if err != nil {
			t.Fatal(err)
		}
		var rec record.Record
		p.Parse("\uFEFF"+line+"\r\n", "", time.Time{}, &rec)
		if !strings.Contains(rec.Body, `"Verdict":"unknown"`) || !strings.Contains(rec.Body, `"Sample":"s","truncated":true,"raw":"`+line+`"`) || rec.Severity != record.SeverityUnknown {
			t.Errorf("%s: %s", name, rec.Body)
		}
	}
}

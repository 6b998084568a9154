package encodings

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

var update = flag.Bool("update", false, "write testdata instead of comparing it")

// settings are those that every encoding must work with; each has a file of messages.
var settings = []struct {
	name     string
	overflow string
	budget   int
}{
	{"whole", encode.OverflowShorten, 8 << 10},
	{"shorten", encode.OverflowShorten, 400},
	{"split", encode.OverflowSplit, 400},
	{"drop", encode.OverflowDrop, 400},
}

// TestGolden: each encoding writes the records of testdata/records.ndjson as the files in its folder say.
func TestGolden(t *testing.T) {
	records := readRecords(t)
	for _, e := range All {
		for _, s := range settings {
			t.Run(e.Name+"/"+s.name, func(t *testing.T) {
				encoder, err := e.New(encode.Config{Overflow: s.overflow})
				if err != nil {
					t.Fatal(err)
				}
				var got bytes.Buffer
				for i := range records {
					writeMessages(t, &got, encoder, &records[i], s.budget)
				}
				file := filepath.Join("testdata", e.Name, s.name+".txt")
				if *update {
					if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, got.Bytes(), 0o644)); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil || got.String() != string(want) {
					t.Errorf("%v\n%s\nwant\n%s", err, got.String(), want)
				}
			})
		}
	}
}

// writeMessages writes the messages of a record and what became of it, and holds them to what every encoding promises.
func writeMessages(t *testing.T, to *bytes.Buffer, encoder encode.Encoder, rec *record.Record, budget int) {
	t.Helper()
	before := []byte("before")
	all, ends, result, err := encoder.Append(before, []int{1}, rec, jsonscan.Known{}, budget)
	fmt.Fprintf(to, "# %s %.20s: %s\n", rec.EventType, rec.ID, [...]string{"whole", "shortened", "split"}[result])
	if err != nil {
		fmt.Fprintf(to, "error: %v\n", err)
		if string(all) != "before" || len(ends) != 1 {
			t.Errorf("%s: an error leaves %q %v", rec.ID, all, ends)
		}
		return
	}
	if result != encode.Split && len(ends) != 2 || ends[len(ends)-1] != len(all) {
		t.Errorf("%s: result %v, ends %v of %d bytes", rec.ID, result, ends, len(all))
	}
	from := len(before)
	for _, end := range ends[1:] {
		message := all[from:end]
		from = end
		if len(message) > budget || bytes.ContainsAny(message, "\r\n\x00") {
			t.Errorf("%s: %d bytes of %d: %q", rec.ID, len(message), budget, message)
		}
		to.Write(message)
		to.WriteByte('\n')
	}
	var scanner jsonscan.Names
	places, compact, shape, err := scanner.Where(nil, rec.Body)
	if err != nil || !compact {
		return // nothing may be known of it
	}
	known := jsonscan.Known{Places: places, Shape: shape}
	if again, _, _, err := encoder.Append([]byte("before"), nil, rec, known, budget); err != nil || !bytes.Equal(again, all) {
		t.Errorf("%s: with its members known %q, %v", rec.ID, again, err)
	}
}

func readRecords(t *testing.T) (records []record.Record) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "records.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var r struct {
			Type, ID, Format, Account, Error string
			Severity                         record.Severity
			Body                             json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1726420560, 5e8)
		records = append(records, record.Record{
			EventType: r.Type, ID: r.ID, Format: r.Format, AccountID: r.Account, Error: r.Error, Severity: r.Severity,
			Time: at, Received: at, Body: string(r.Body),
		})
	}
	return records
}

// TestRows: what documentation and configuration read from a row is there.
func TestRows(t *testing.T) {
	for i, e := range All {
		if found, err := Find(e.Name); err != nil || found != &All[i] {
			t.Errorf("%s: found %v, %v", e.Name, found, err)
		}
		if e.Doc == "" || strings.ContainsAny(e.Doc, "\n") {
			t.Errorf("%s: doc %q", e.Name, e.Doc)
		}
		if _, err := os.Stat(filepath.Join("..", "..", "..", e.Page)); err != nil {
			t.Errorf("%s: page: %v", e.Name, err)
		}
		if err := e.Check(encode.Config{}); err != nil {
			t.Errorf("%s: without configuration: %v", e.Name, err)
		}
		for key, wrong := range map[string]encode.Config{
			KeyEscape: {Escape: "?"}, KeyOverflow: {Overflow: "?"}, KeyFields: {Fields: []encode.Field{{Key: "a", From: "@?"}}},
		} {
			if err := e.Check(wrong); slices.Contains(e.Keys, key) && (err == nil || !strings.HasPrefix(err.Error(), key)) {
				t.Errorf("%s: %s: %v", e.Name, key, err)
			}
		}
	}
	if _, err := Find("?"); err == nil || !strings.Contains(err.Error(), "want one of pipe") {
		t.Error(err)
	}
	if e, err := Find(""); err != nil || e.Name != Default {
		t.Error(e, err)
	}
}

package harness

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
)

// Case is one input of the corpus with what it must become.
type Case struct {
	Format, Name string
	Input        string // the record, behind its header line when it has one
	Golden       Golden
	Message      string // its pipe message at the default settings, without a header

	record  string
	finding *Golden // what the siem processor makes beside it; nil for most
}

// Golden is what a case's golden file says.
type Golden struct {
	EventType   string          `json:"event_type"`
	AccountID   string          `json:"account_id"`
	TenantID    string          `json:"tenant_id"`
	Format      string          `json:"format"`
	ID          string          `json:"id"`
	Time        string          `json:"time"`
	Error       string          `json:"error"`
	Body        json.RawMessage `json:"body"`
	Disposition struct {
		Dismissed    bool      `json:"dismissed"`
		Resolved     bool      `json:"resolved"`
		Snoozed      bool      `json:"snoozed"`
		SnoozedUntil time.Time `json:"snoozed_until,omitzero"`
	} `json:"disposition"`
}

// Corpus reads testdata: a folder for each format, with <case>.in, <case>.golden.json and <case>.pipe. An input without the
// others is an error, and so is a format without a folder.
func Corpus(testdata string) ([]Case, error) {
	var cases []Case
	var errs []error
	for _, format := range format.Names() {
		inputs, err := filepath.Glob(filepath.Join(testdata, format, "*.in"))
		if err != nil {
			return nil, err
		}
		if len(inputs) == 0 {
			errs = append(errs, fmt.Errorf("%s: no cases in %s", format, testdata))
		}
		for _, path := range inputs {
			c, err := readCase(format, path)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			cases = append(cases, c)
		}
	}
	return cases, errors.Join(errs...)
}

func readCase(name, path string) (Case, error) {
	c := Case{Format: name, Name: name + "/" + strings.TrimSuffix(filepath.Base(path), ".in")}
	input, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	c.record, c.Input = string(input), string(input)
	if fields, err := os.ReadFile(strings.TrimSuffix(path, ".in") + ".fields"); err == nil {
		c.Input = string(fields) + c.Input
	}
	beside, err := os.ReadFile(strings.TrimSuffix(path, ".in") + ".finding.json")
	if err == nil && format.MakesFindings(name) {
		c.finding = &Golden{}
		if err := json.Unmarshal(beside, c.finding); err != nil {
			return c, fmt.Errorf("%s: finding: %w", c.Name, err)
		}
	}
	goldenPath := strings.TrimSuffix(path, ".in") + ".golden.json"
	golden, err := os.ReadFile(goldenPath)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(golden, &c.Golden); err != nil {
		return c, fmt.Errorf("%s: %w", goldenPath, err)
	}
	message, err := os.ReadFile(strings.TrimSuffix(path, ".in") + ".pipe")
	c.Message = strings.TrimSuffix(string(message), "\n")
	return c, err
}

// PostFormat is the format to post the case as: its golden's, or "" where the golden says that no format claims it.
func (c *Case) PostFormat() string {
	if c.Golden.Format == format.Auto {
		return ""
	}
	return c.Golden.Format
}

// Expected is what one posted record must come out as.
type Expected struct {
	Name      string
	EventType string
	Format    string
	Account   string
	// Day is where the key must put it; "" for records without a time, which go to the day of their arrival.
	Day string
	// Beside says that the siem processor makes it beside the record that was posted.
	Beside bool
	// Dropped is why the siem processor drops it; "" when it goes on.
	Dropped string
	// same is equal for equal records.
	same string
}

// Same is equal for equal records in the same place, which can be one object.
func (e *Expected) Same() string {
	return strings.Join([]string{e.EventType, e.Account, e.Day, e.same}, "/")
}

// Expect says what comes out when the case is posted to the address of its PostFormat at now, with the processor's default
// exclusions. That is what the golden says, unless the body is cut into other records than the one the golden is of: a
// pipe line with a line feed in it cannot be told from two lines.
func (c *Case) Expect(now time.Time) ([]Expected, error) {
	var items []payload.Item
	err := payload.Cut(strings.NewReader(c.Input), payload.Options{}, func(item payload.Item) error {
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	if len(items) == 1 && items[0].Raw == trim(c.record) {
		var all []Expected
		for _, g := range []*Golden{&c.Golden, c.finding} {
			if g == nil {
				continue
			}
			e, err := g.expected(c.Name, now)
			if err != nil {
				return nil, err
			}
			e.Beside = g == c.finding
			all = append(all, e)
		}
		return all, nil
	}
	return expectParsed(c.Name, c.PostFormat(), items, now)
}

// expected is what the golden says.
func (g *Golden) expected(name string, now time.Time) (Expected, error) {
	d := record.Disposition{Dismissed: g.Disposition.Dismissed, Resolved: g.Disposition.Resolved,
		Snoozed: g.Disposition.Snoozed, SnoozedUntil: g.Disposition.SnoozedUntil}
	e := Expected{Name: name, EventType: g.EventType, Format: g.Format, Account: g.AccountID, Dropped: droppedFor(d, now)}
	if g.Time != "" && !timeless(string(g.Body)) {
		at, err := time.Parse(time.RFC3339Nano, g.Time)
		if err != nil {
			return e, fmt.Errorf("%s: %w", name, err)
		}
		e.Day = at.UTC().Format(time.DateOnly)
	}
	var err error
	if e.same, err = identity(string(g.Body)); err != nil {
		return e, fmt.Errorf("%s: body of the golden: %w", name, err)
	}
	return e, nil
}

// ExpectRecord says what becomes of one record that is not in the corpus.
func ExpectRecord(name, format, raw string, now time.Time) (Expected, error) {
	all, err := expectParsed(name, format, []payload.Item{{Raw: raw}}, now)
	if err != nil {
		return Expected{}, err
	}
	return all[0], nil
}

func expectParsed(name, formatName string, items []payload.Item, now time.Time) ([]Expected, error) {
	parser, err := format.NewParser(format.Options{})
	if err != nil {
		return nil, err
	}
	var all []Expected
	for _, item := range items {
		var rec record.Record
		if err := new(format.Scans).Check(item.Raw, formatName, item.Fields); err != nil { // the receiver says so before the processor sees it
			rec = format.NewInvalid(item.Raw, cmp.Or(formatName, format.Auto), err.Error(), now)
		} else {
			parser.ParseIn(item.Raw, format.Context{Format: formatName, Fields: item.Fields, Received: now}, &rec)
		}
		recs := append([]record.Record{rec}, parser.Findings()...)
		if rec.EventType == record.Invalid {
			recs = recs[:1]
		}
		for i, rec := range recs {
			e := Expected{Beside: i > 0, Name: fmt.Sprintf("%s (part %d)", name, item.Index+1), EventType: rec.EventType, Format: rec.Format,
				Account: rec.AccountID, Dropped: droppedFor(rec.Disposition, now)}
			if !rec.Time.IsZero() && !timeless(rec.Body) {
				e.Day = rec.Time.UTC().Format(time.DateOnly)
			}
			if e.same, err = identity(rec.Body); err != nil {
				return nil, fmt.Errorf("%s: %w", e.Name, err)
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// timeless reports whether a body is a row whose event time is when it was parsed, since it has none of its own.
func timeless(body string) bool {
	var row struct {
		Event  string `json:"p_event_time"`
		Parsed string `json:"p_parse_time"`
	}
	return json.Unmarshal([]byte(body), &row) == nil && row.Parsed != "" && row.Event == row.Parsed
}

// droppedFor mirrors the default exclusions: dismissed and snoozed findings.
func droppedFor(d record.Disposition, now time.Time) string {
	switch {
	case d.Dismissed:
		return "dismissed"
	case d.SnoozedAt(now):
		return "snoozed"
	}
	return ""
}

func trim(s string) string { return strings.Trim(s, " \t\r\n") }

// identity is equal for bodies that say the same: numbers as they are written, members in any order. Invalid records are
// the same when they hold the same input, whatever they say is wrong with it, and rows whenever they were parsed.
func identity(body string) (string, error) {
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	_, hasError := value["error"]
	_, hasReceived := value["received_at"]
	if hasError && hasReceived {
		if raw, ok := value["raw"].(string); ok {
			return "invalid " + trim(raw), nil
		}
		if encoded, ok := value["raw_base64"].(string); ok {
			raw, err := base64.StdEncoding.DecodeString(encoded)
			return "invalid " + trim(string(raw)), err
		}
	}
	if timeless(body) {
		delete(value, "p_event_time")
	}
	delete(value, "p_parse_time")
	canonical, err := json.Marshal(value)
	return string(canonical), err
}

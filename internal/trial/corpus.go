package trial

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/payload"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/source"
)

// Case is one input of the corpus with what it must become.
type Case struct {
	Format, Name string
	Input        string
	Golden       Golden
	Message      string // its pipe message at the default settings, without a header
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
	for _, format := range source.Names() {
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

func readCase(format, path string) (Case, error) {
	c := Case{Format: format, Name: format + "/" + strings.TrimSuffix(filepath.Base(path), ".in")}
	input, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	c.Input = string(input)
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
	if c.Golden.Format == source.Auto {
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
	// Dropped is why the siem processor drops it; "" when it goes on.
	Dropped string
	// same is equal for equal records.
	same string
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
	if len(items) == 1 && items[0].Raw == trim(c.Input) {
		g := &c.Golden
		d := record.Disposition{Dismissed: g.Disposition.Dismissed, Resolved: g.Disposition.Resolved,
			Snoozed: g.Disposition.Snoozed, SnoozedUntil: g.Disposition.SnoozedUntil}
		e := Expected{Name: c.Name, EventType: g.EventType, Format: g.Format, Account: g.AccountID, Dropped: droppedFor(d, now)}
		if g.Time != "" {
			at, err := time.Parse(time.RFC3339Nano, g.Time)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
			e.Day = at.UTC().Format(time.DateOnly)
		}
		if e.same, err = identity(string(g.Body)); err != nil {
			return nil, fmt.Errorf("%s: body of the golden: %w", c.Name, err)
		}
		return []Expected{e}, nil
	}
	return expectParsed(c.Name, c.PostFormat(), items, now)
}

// ExpectRecord says what becomes of one record that is not in the corpus.
func ExpectRecord(name, format, raw string, now time.Time) (Expected, error) {
	all, err := expectParsed(name, format, []payload.Item{{Raw: raw}}, now)
	if err != nil {
		return Expected{}, err
	}
	return all[0], nil
}

func expectParsed(name, format string, items []payload.Item, now time.Time) ([]Expected, error) {
	parser, err := source.NewParser(source.Options{})
	if err != nil {
		return nil, err
	}
	var all []Expected
	for _, item := range items {
		var rec record.Record
		if err := source.Check(item.Raw, format); err != nil { // the receiver says so before the processor sees it
			rec = source.NewInvalid(item.Raw, format, err.Error(), now)
		} else {
			parser.Parse(item.Raw, format, now, &rec)
		}
		e := Expected{Name: fmt.Sprintf("%s (part %d)", name, item.Index+1), EventType: rec.EventType, Format: rec.Format,
			Account: rec.AccountID, Dropped: droppedFor(rec.Disposition, now)}
		if !rec.Time.IsZero() {
			e.Day = rec.Time.UTC().Format(time.DateOnly)
		}
		if e.same, err = identity(rec.Body); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		all = append(all, e)
	}
	return all, nil
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
// the same when they hold the same input, whatever they say is wrong with it.
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
	canonical, err := json.Marshal(value)
	return string(canonical), err
}

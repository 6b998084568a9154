package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/test/harness"
)

// post is one request and what must become of its records.
type post struct {
	name, format string
	body         string
	expected     []harness.Expected
}

// posts are all requests: the corpus, each case to the address of its format, and findings that people decided about.
func posts(testdata string, now time.Time) ([]post, error) {
	cases, err := harness.Corpus(testdata)
	if err != nil {
		return nil, err
	}
	var all []post
	for i := range cases {
		c := &cases[i]
		expected, err := c.Expect(now)
		if err != nil {
			return nil, err
		}
		all = append(all, post{c.Name, c.PostFormat(), c.Input, expected})
	}
	for _, decided := range decidedFindings(now) {
		e, err := harness.ExpectRecord(decided.name, "panoptica", decided.body, now)
		if err != nil {
			return nil, err
		}
		if e.Dropped != decided.dropped {
			return nil, fmt.Errorf("%s: dropped as %q, want %q", decided.name, e.Dropped, decided.dropped)
		}
		all = append(all, post{decided.name, "panoptica", decided.body, []harness.Expected{e}})
	}
	return all, nil
}

type decided struct{ name, body, dropped string }

// decidedFindings are synthetic. Their times are whole days, so that a second run on the same day posts the same.
func decidedFindings(now time.Time) []decided {
	finding := func(name, decision string) string {
		return fmt.Sprintf(`{"alert_id":"quickstart-%s","asset_id":"arn:aws:s3:::acme-data","provider":"AWS","severity":"High",`+
			`"tenant_id":"id-quickstart","account_id":"111122223333","detection_type":"security_finding",`+
			`"attack_scenario":"Publicly readable bucket","detection_timestamp":"2026-09-15T17:16:00Z",%s}`, name, decision)
	}
	day := now.UTC().Truncate(24 * time.Hour)
	tomorrow, yesterday := day.Add(24*time.Hour).Format(time.RFC3339), day.Add(-24*time.Hour).Format(time.RFC3339)
	return []decided{
		{"dismissed", finding("dismissed", `"resolved":false,"status":"Dismissed"`), "dismissed"},
		{"snoozed-until-tomorrow", finding("snoozed-until-tomorrow", `"resolved":false,"snoozed_until":"`+tomorrow+`"`), "snoozed"},
		{"snoozed-until-yesterday", finding("snoozed-until-yesterday", `"resolved":false,"snoozed_until":"`+yesterday+`"`), ""},
		{"resolved", finding("resolved", `"resolved":true`), ""},
	}
}

// send posts everything and checks the answers.
func send(cfg config, posts []post) error {
	for i := range posts {
		p := &posts[i]
		url := "http://" + cfg.receiver + "/v1/events"
		if p.format != "" {
			url += "/" + p.format
		}
		a, err := harness.Post(url, harness.ContentType(p.body), strings.NewReader(p.body))
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		posted := 0
		for _, e := range p.expected {
			if !e.Beside {
				posted++
			}
		}
		if a.Code != http.StatusOK || a.Accepted != posted {
			return fmt.Errorf("%s: answer %d, %d records accepted, %s; want 200 and %d", p.name, a.Code, a.Accepted, a.Error, posted)
		}
	}
	return nil
}

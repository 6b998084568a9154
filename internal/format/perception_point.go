package format

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/perceptionpoint"
	"github.com/siempipe/siempipe/internal/record"
)

// Perception Point's API scan, one element of "results" of GET /api/v1/scans/list/:
// https://docs.perception-point.io/WP/Content/PP/API-Scan-search.htm
//
// The vendor publishes no schema: every member is optional, and one of another type than expected is kept but not mapped.
// The canonical body is the scan as it came, with the keys of the pipe line behind it where both have the value, so that
// one query finds a scan in either form. A key that is there already stays, so that parsing a body again changes nothing.

// claimsPerceptionPoint takes objects with a full_scan_id, or a verdict together with a member that only scans have.
func claimsPerceptionPoint(in *Input) bool { return in.IsObject && isAPIScan(in) }

var (
	fullScanName = namesOf("full_scan_id")
	// apiScanNames are a verdict, and one of what an API scan with a verdict has.
	apiScanNames = namesOf("verbose_verdict|root_scan_summary", "root_scan_id|scan_engines|scan_layers|verbose_action|payload_type|organization_id")
)

func isAPIScan(in *Input) bool {
	return in.has(fullScanName) || in.has(apiScanNames)
}

func parsePerceptionPoint(p *Parser, in *Input, rec *record.Record) error {
	if !in.IsObject {
		if in.JSONErr != nil {
			return in.JSONErr
		}
		return errors.New("not a JSON object")
	}
	if isScanFinding(in) {
		return parsePanoptica(p, in, rec)
	}
	id, err := apiScanID(in)
	if err != nil {
		return err
	}
	var room [48]jsonscan.Member
	sample := objectOf(room[:0], in.Get("sample"))
	var summaryRoom [8]jsonscan.Member
	summary := objectOf(summaryRoom[:0], in.Get("root_scan_summary"))

	verdict := first(text(find(summary, "verbose_verdict")), text(in.Get("verbose_verdict")), text(in.Get(perceptionpoint.KeyVerdict)))
	datetime := scanTime(in, sample)
	url := webAddress(sample, in)
	event := scanEvent(in, sample, url)

	var extraRoom [768]byte // about what the pipe line's keys take
	x := extraMembers{in: in, buf: extraRoom[:0]}
	x.add(perceptionpoint.KeyDatetime, datetime)
	x.add(perceptionpoint.KeyScanID, id)
	x.add(perceptionpoint.KeyEvent, event)
	x.add(perceptionpoint.KeyIPAddress, text(find(sample, "source_ip")))
	switch event {
	case perceptionpoint.EventFile:
		x.add(perceptionpoint.KeyName, first(text(find(sample, "file_name")), text(find(sample, "name")), text(in.Get("file_name"))))
	case perceptionpoint.EventURL:
		x.add(perceptionpoint.KeyURL, url)
	default:
		x.add(perceptionpoint.KeySubject, first(text(find(sample, "subject")), text(in.Get("subject"))))
		x.add(perceptionpoint.KeyMessageID, first(text(find(sample, "message_id")), text(find(sample, "original_message_id")), text(in.Get("original_message_id"))))
		x.add(perceptionpoint.KeyTo, first(list(find(sample, "recipients")), text(find(sample, "to_address"))))
	}
	x.add(perceptionpoint.KeyFrom, first(text(find(sample, "from_address")), text(find(sample, "from"))))
	x.add(perceptionpoint.KeyLayers, list(in.Get("scan_layers")))
	x.add(perceptionpoint.KeyVerdict, verdict)
	x.add(perceptionpoint.KeyAction, text(in.Get("verbose_action")))
	x.add(perceptionpoint.KeySample, first(textOrNumber(find(sample, "id")), text(find(sample, "sha256")), text(find(sample, "sha1"))))
	rec.Body = p.rewrite(in, nil, x.buf)
	rec.TenantID = p.opts.TenantID

	rec.ID = id
	rec.AccountID = textOrNumber(in.Get("organization_id"))
	rec.EventType = eventTypeOfScan(event)
	rec.Severity = p.severity(verdict)
	if t, ok := perceptionpoint.ParseEpoch(datetime); ok {
		rec.Time = t
	}
	return nil
}

// apiScanID is full_scan_id, which the pipe line calls Scan ID, or else the number id.
func apiScanID(in *Input) (string, error) {
	full := in.Get("full_scan_id")
	if s := text(full); s != "" {
		return s, nil
	}
	if s := textOrNumber(in.Get("id")); s != "" {
		return s, nil
	}
	switch {
	case full == nil:
		return "", errors.New("full_scan_id: neither full_scan_id nor id is there")
	case full.Kind != jsonscan.String:
		return "", fmt.Errorf("full_scan_id: byte %d: %s where a string is due, and no id", full.Offset, full.Kind)
	}
	return "", fmt.Errorf("full_scan_id: byte %d: empty, and no id", full.Offset)
}

// scanTime is when the scan was made as decimal epoch seconds, digits as written where the scan has them so. The vendor
// documents no type for its times: numbers, decimal strings and ISO 8601 (without a zone: UTC) are read, others left.
func scanTime(in *Input, sample []jsonscan.Member) string {
	for _, m := range [...]*jsonscan.Member{in.Get(perceptionpoint.KeyDatetime), in.Get("finished_at"), in.Get("created_at"), find(sample, "delivery_time")} {
		s := textOrNumber(m)
		if _, ok := perceptionpoint.ParseEpoch(s); ok {
			return s
		}
		if m == nil || m.Kind != jsonscan.String {
			continue
		}
		for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05"} { // a fraction is read with each
			if t, err := time.Parse(layout, s); err == nil && t.Unix() >= 0 {
				var room [32]byte
				return string(perceptionpoint.AppendEpoch(room[:0], t))
			}
		}
	}
	return ""
}

// scanEvent decides which of the three kinds a scan is; "" when nothing tells. The values of payload_type are not
// documented, those of origin are:
//  1. payload_type holding "url" or "link", "mail" or "message", "file" or "attach";
//  2. origin email and internalemail are mails; s3, box, onedrivebiz, dropbox and gdrive are files;
//  3. every other origin (salesforce, browser, analyze, api, teams, or none): a URL when the sample has a web address, a
//     mail when it has a subject, recipients or a from_address, a file when it has a name or a hash;
//  4. the Event key, when the scan has it.
func scanEvent(in *Input, sample []jsonscan.Member, url string) string {
	payload := strings.ToLower(text(in.Get("payload_type")))
	for _, row := range [...]struct{ part, event string }{
		{"url", perceptionpoint.EventURL}, {"link", perceptionpoint.EventURL}, {"mail", perceptionpoint.EventEmail}, {"message", perceptionpoint.EventEmail},
		{"file", perceptionpoint.EventFile}, {"attach", perceptionpoint.EventFile},
	} {
		if strings.Contains(payload, row.part) {
			return row.event
		}
	}
	switch text(in.Get("origin")) {
	case "email", "internalemail":
		return perceptionpoint.EventEmail
	case "s3", "box", "onedrivebiz", "dropbox", "gdrive":
		return perceptionpoint.EventFile
	}
	has := func(names ...string) bool {
		for _, name := range names {
			if find(sample, name) != nil {
				return true
			}
		}
		return false
	}
	switch {
	case url != "":
		return perceptionpoint.EventURL
	case has("subject", "recipients", "from_address"):
		return perceptionpoint.EventEmail
	case has("file_name", "name", "sha256", "sha1"):
		return perceptionpoint.EventFile
	}
	return text(in.Get(perceptionpoint.KeyEvent))
}

// webAddress is the address a URL scan looked at; the pipe line takes it from scan.sample.path.
func webAddress(sample []jsonscan.Member, in *Input) string {
	for _, s := range [...]string{text(find(sample, "path")), text(find(sample, "url")), text(in.Get("url"))} {
		if hasPrefixFold(s, "http://") || hasPrefixFold(s, "https://") {
			return s
		}
	}
	return ""
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// extraMembers is the JSON text of members to go behind those of the input.
type extraMembers struct {
	in  *Input
	buf []byte
}

// add appends a member, unless it is empty or there already.
func (x *extraMembers) add(key, value string) {
	if value == "" || x.in.Get(key) != nil {
		return
	}
	if len(x.buf) > 0 {
		x.buf = append(x.buf, ',')
	}
	x.buf = jsonscan.AppendQuoted(x.buf, key)
	x.buf = append(x.buf, ':')
	x.buf = jsonscan.AppendQuoted(x.buf, value)
}

// objectOf is the members of a member that is an object, else none.
func objectOf(dst []jsonscan.Member, m *jsonscan.Member) []jsonscan.Member {
	if m == nil || m.Kind != jsonscan.Object {
		return nil
	}
	members, _, err := jsonscan.Members(dst, m.Value)
	if err != nil {
		return nil
	}
	return members
}

// find is Input.Get for the members of a nested object.
func find(members []jsonscan.Member, name string) *jsonscan.Member {
	for i := len(members) - 1; i >= 0; i-- {
		if members[i].Key() == name {
			return &members[i]
		}
	}
	return nil
}

// text is the text of a string; "" for every other type and for nil.
func text(m *jsonscan.Member) string {
	if m == nil {
		return ""
	}
	return m.Text()
}

// textOrNumber is text that takes a number as it is written.
func textOrNumber(m *jsonscan.Member) string {
	if m != nil && m.Kind == jsonscan.Number {
		return m.Value
	}
	return text(m)
}

// list is a string, or the strings (and "name" of the objects) of an array, joined by commas.
func list(m *jsonscan.Member) string {
	if m == nil || m.Kind != jsonscan.Array {
		return text(m)
	}
	var room [16]jsonscan.Member
	elements, err := jsonscan.Elements(room[:0], m.Value)
	if err != nil {
		return ""
	}
	var textRoom [256]byte
	joined := textRoom[:0]
	for i := range elements {
		s := text(&elements[i])
		if elements[i].Kind == jsonscan.Object {
			var nameRoom [8]jsonscan.Member
			s = text(find(objectOf(nameRoom[:0], &elements[i]), "name"))
		}
		if s == "" {
			continue
		}
		if len(joined) > 0 {
			joined = append(joined, ',')
		}
		joined = append(joined, s...)
	}
	return string(joined)
}

func first(values ...string) string {
	for _, s := range values {
		if s != "" {
			return s
		}
	}
	return ""
}

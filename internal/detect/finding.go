package detect

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/siempipe/siempipe/internal/detect/sigma"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Format is the siem.format of findings that are made here.
const Format = record.FormatDetection

// Limits of a finding.
const (
	maxResources    = 50
	maxResource     = 2048 // bytes, the longest ARN
	maxSummary      = 4096 // bytes of one value
	maxAccountRunes = 50   // of the SIEM schema
	tenantPrefix    = "id"
)

// providers are the schema's words for the clouds, by the beginning of a log type.
var providers = map[string]string{"AWS": "AWS", "Azure": "AZURE", "GCP": "GCP", "GSuite": "GCP", "Kubernetes": "KUBE", "Amazon": "AWS"}

// accountPaths are where records name the account that they are of, in the order in which they are tried.
var accountPaths = [][]string{
	{"recipientAccountId"}, {"accountId"}, {"account"}, {"account_id"}, {"p_any_aws_account_ids"},
	{"tenantId"}, {"resource", "labels", "project_id"},
}

// resourcePaths are where records name what they are about.
var resourcePaths = [][]string{
	{"resources", "arn"}, {"p_any_aws_arns"}, {"webaclId"},
	{"resourceId"}, {"protoPayload", "resourceName"}, {"related_resources"},
}

// draft makes the members of a finding that its first record decides: everything but id, times, count and samples.
// They begin after the opening bracket and end with a comma.
func (r *Rule) draft(rec *record.Record, fields fieldSet, title, dedup string, level record.Severity) []byte {
	var dst []byte
	text := func(name, value string) {
		if value != "" {
			dst = append(dst, '"')
			dst = append(dst, name...)
			dst = append(dst, `":`...)
			dst = append(jsonscan.AppendQuoted(dst, value), ',')
		}
	}
	raw := func(name string, value []byte) {
		dst = append(dst, '"')
		dst = append(dst, name...)
		dst = append(dst, `":`...)
		dst = append(append(dst, value...), ',')
	}
	text("detection_type", record.Other)
	text("attack_scenario", title)
	text("description", r.Description)
	text("severity", level.String())
	raw("resolved", []byte("false"))
	text("provider", provider(rec))
	text("account_id", account(rec))
	if strings.HasPrefix(rec.TenantID, tenantPrefix) {
		text("tenant_id", rec.TenantID)
	}
	raw("labels", r.labels)
	raw("related_resources", resources(rec.Body))
	text("rule_id", r.Key())
	if r.ID != r.Key() {
		text("rule_uuid", r.ID)
	}
	text("rule_title", r.Title)
	text("dedup", dedup)
	text("log_type", rec.EventType)
	if r.context.object != "" || len(r.context.fields) > 0 {
		raw("context", r.context.appendJSON(nil, fields, rec.Body))
	}
	if len(r.summary) > 0 {
		raw("summary", summary(r.summary, fields, rec.Body))
	}
	if len(r.References) > 0 {
		raw("references", appendTexts(nil, r.References))
	}
	return dst
}

// finish puts the rest to a draft.
func finish(draft []byte, id string, first, at time.Time, count int, samples []string) []byte {
	dst := make([]byte, 0, len(draft)+256)
	dst = append(dst, `{"alert_id":`...)
	dst = jsonscan.AppendQuoted(dst, id)
	dst = append(dst, ',')
	dst = append(dst, draft...)
	dst = append(dst, `"detection_timestamp":"`...)
	dst = at.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","first_seen_timestamp":"`...)
	dst = first.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","count":`...)
	dst = strconv.AppendInt(dst, int64(count), 10)
	dst = append(dst, `,"sample_event_ids":`...)
	dst = appendTexts(dst, samples)
	return append(dst, '}')
}

func provider(rec *record.Record) string {
	cloud, _, _ := strings.Cut(rec.EventType, ".")
	if p := providers[cloud]; p != "" {
		return p
	}
	for _, v := range sigma.Lookup(nil, rec.Body, "provider") {
		for _, p := range []string{"AWS", "KUBE", "AZURE", "GCP"} {
			if v.Text() == p {
				return p
			}
		}
	}
	return ""
}

func account(rec *record.Record) string {
	id := rec.AccountID
	for i := 0; id == "" && i < len(accountPaths); i++ {
		for _, v := range sigma.Lookup(nil, rec.Body, accountPaths[i]...) {
			if v.Kind == jsonscan.String || v.Kind == jsonscan.Number {
				id = v.Text()
				break
			}
		}
	}
	if utf8.RuneCountInString(id) > maxAccountRunes { // no account of any cloud is
		return ""
	}
	return id
}

// resources lists what the record is about, in one list of the schema's list of lists.
func resources(body string) []byte {
	var list []string
	for _, path := range resourcePaths {
		for _, v := range sigma.Lookup(nil, body, path...) {
			text := v.Text()
			if v.Kind == jsonscan.String && text != "" && len(text) <= maxResource && len(list) < maxResources && !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
	}
	if len(list) == 0 {
		return []byte("[]")
	}
	return append(appendTexts([]byte{'['}, list), ']')
}

// summary is an object of the fields that are there and short enough to be read at a glance.
func summary(names []string, fields fieldSet, body string) []byte {
	dst := []byte{'{'}
	for _, name := range names {
		if v, ok := fields[name].First(body); ok && len(v.Raw) <= maxSummary {
			if len(dst) > 1 {
				dst = append(dst, ',')
			}
			dst = append(jsonscan.AppendQuoted(dst, name), ':')
			dst = v.AppendJSON(dst)
		}
	}
	return append(dst, '}')
}

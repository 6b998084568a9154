// Package perceptionpointapi is a stand-in for Perception Point's API in tests: lists with pages and cursors, a token, and every
// fault that a test asks for. What it does is what the vendor's documentation says:
// https://docs.perception-point.io/WP/Content/PP/API-Scan-search.htm
package perceptionpointapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Paths of the lists.
const (
	ScansPath = "/api/v1/scans/list/"
	AuditPath = "/api/v1/audit-events/"
)

// Record is one scan or audit event.
type Record struct {
	Created time.Time
	// Body is its JSON.
	Body string
}

// Fault answers a request in the place of the API and reports whether it did. n counts the requests from 1.
type Fault func(w http.ResponseWriter, r *http.Request, n int) bool

// API is an http.Handler. The zero value has no records and refuses every token; all fields but those with methods are
// set before it serves. Safe for concurrent use.
type API struct {
	// PageSize is how many records a page has; 0 is 20.
	PageSize int
	// Fault, when set, is asked first.
	Fault Fault
	// Now is the time that the Date header tells; nil is the local one.
	Now func() time.Time

	mu       sync.Mutex
	token    string
	scans    []Record
	events   []Record
	requests []string // path and query of each
}

// SetToken makes the API accept this token and no other.
func (a *API) SetToken(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = token
}

// Add adds scans.
func (a *API) Add(scans ...Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.scans = append(a.scans, scans...)
	slices.SortStableFunc(a.scans, func(x, y Record) int { return x.Created.Compare(y.Created) })
}

// AddEvents adds audit events.
func (a *API) AddEvents(events ...Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, events...)
}

// Change replaces old by new in the body of the i-th scan.
func (a *API) Change(i int, old, new string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body := strings.Replace(a.scans[i].Body, old, new, 1)
	if body == a.scans[i].Body {
		panic("perceptionpointtest: nothing to change")
	}
	a.scans[i].Body = body
}

// Requests are path and query of all requests so far.
func (a *API) Requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// ServeHTTP serves both lists.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.requests = append(a.requests, r.URL.RequestURI())
	n := len(a.requests)
	a.mu.Unlock()
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
	if a.Fault != nil && a.Fault(w, r, n) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	records := a.scans
	switch {
	case a.token == "" || r.Header.Get("Authorization") != "Token "+a.token:
		http.Error(w, `{"detail":"Invalid token."}`, http.StatusUnauthorized)
		return
	case r.URL.Path == AuditPath:
		records = a.events
	case r.URL.Path != ScansPath:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	q := r.URL.Query()
	from, to, err := bounds(q)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var listed []Record
	for _, rec := range records {
		if s := rec.Created.Unix(); s >= from && s <= to {
			listed = append(listed, rec)
		}
	}
	size := a.PageSize
	if size == 0 {
		size = 20
	}
	at, _ := strconv.Atoi(q.Get("_cursor"))
	at = min(at, len(listed))
	end := min(at+size, len(listed))
	next := ""
	if end < len(listed) {
		q.Set("_cursor", strconv.Itoa(end))
		next = (&url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: q.Encode()}).String()
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(Page(len(listed), next, listed[at:end]))
}

func bounds(q url.Values) (from, to int64, err error) {
	to = 1 << 62
	for name, bound := range map[string]*int64{"start": &from, "end": &to} {
		if text := q.Get(name); text != "" {
			if *bound, err = strconv.ParseInt(text, 10, 64); err != nil || len(text) > 10 {
				return 0, 0, fmt.Errorf("%s: want 10-digit epoch seconds", name)
			}
		}
	}
	return from, to, nil
}

// Page is the envelope of a list.
func Page(count int, next string, records []Record) []byte {
	var b strings.Builder
	nextText := []byte("null")
	if next != "" {
		nextText, _ = json.Marshal(next)
	}
	fmt.Fprintf(&b, `{"count":%d,"page_result_count":%d,"next":%s,"has_more":%t,"results":[`, count, len(records), nextText, next != "")
	for i := range records {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(records[i].Body)
	}
	b.WriteString("]}")
	return []byte(b.String())
}

// Scan makes an e-mail scan with the fields that the API's example has.
func Scan(i int, created time.Time, verdict string) Record {
	return Record{Created: created, Body: fmt.Sprintf(`{"organization_display_name":"Acme","origin":"email","sub_origin":"o365",`+
		`"full_scan_id":%q,"id":%d,"root_scan_id":%d,"scan_engines":[],"scan_layers":["spf","av"],"verbose_verdict":%q,"verbose_confidence":null,`+
		`"verbose_action":"Delivered","finished_at":%q,"organization_id":4711,"root_scan_summary":{"is_fn":false,"sub_verdict":null,"verbose_verdict":%q},`+
		`"sample":{"source_ip":"192.0.2.7","headers":null,"sha256":"aa%d","from_address":"Mallory <m@evil.example>","subject":"Invoice %d | urgent",`+
		`"last_action":null,"pe_icon_link":null,"recipients":["harold@acme.example"]}}`,
		ScanID(i), 900000+i, 900000+i, verdict, created.UTC().Format("2006-01-02T15:04:05.000000Z"), verdict, i, i)}
}

// ScanID is the Scan ID of the i-th scan.
func ScanID(i int) string {
	return fmt.Sprintf("001E94824_1_00000000-0000-4000-8000-%012d_20260101", i)
}

// Shift moves the creation of all scans.
func (a *API) Shift(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.scans {
		a.scans[i].Created = a.scans[i].Created.Add(d)
	}
}

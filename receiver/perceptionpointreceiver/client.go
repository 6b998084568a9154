package perceptionpointreceiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/config/configopaque"
)

const (
	maxRedirects = 5
	// maxRetryAfter bounds what the API may ask for: a wrong header must not stop the receiver for a year.
	maxRetryAfter = time.Hour
	// maxPageRecords is far above what a page of any API holds.
	maxPageRecords = 100_000
	// maxErrorBody is how much of an error's body is looked at.
	maxErrorBody = 1 << 10
)

// page is one answer of a list.
type page struct {
	results []json.RawMessage
	next    string // address of the next page, "" at the end
	nextErr error  // why the next page cannot be asked for; the results are good all the same
	date    time.Time
}

// apiError is an answer that is no page.
type apiError struct {
	code       int
	text       string
	retryAfter time.Duration
	token      configopaque.String // that was refused
}

func (e *apiError) Error() string {
	s := "the API answers " + strconv.Itoa(e.code) + " " + http.StatusText(e.code)
	if e.text != "" {
		s += ": " + e.text
	}
	return s
}

// refused says that the token is not accepted.
func (e *apiError) refused() bool {
	return e.code == http.StatusUnauthorized || e.code == http.StatusForbidden
}

// pageError says that the API's page cannot be read or followed.
type pageError struct{ reason string }

func (e *pageError) Error() string { return "page of the API: " + e.reason }

func badPage(format string, args ...any) error {
	return &pageError{reason: fmt.Sprintf(format, args...)}
}

// client asks for pages. Safe for concurrent use.
type client struct {
	http     *http.Client
	base     *url.URL
	token    tokenSource
	maxBytes int64
}

func newClient(c *http.Client, base *url.URL, token tokenSource, maxBytes int64) *client {
	limited := *c
	a := &client{http: &limited, base: base, token: token, maxBytes: maxBytes}
	limited.CheckRedirect = a.checkRedirect
	return a
}

// sameOrigin checks that an address belongs to the API: the token travels with every request.
func (c *client) sameOrigin(u *url.URL) error {
	if u.User != nil || !strings.EqualFold(u.Scheme, c.base.Scheme) || !strings.EqualFold(u.Hostname(), c.base.Hostname()) || port(u) != port(c.base) {
		return fmt.Errorf("leads to %.128q, and the token must only go to %s://%s", (&url.URL{Scheme: u.Scheme, Host: u.Host}).String(), c.base.Scheme, c.base.Host)
	}
	return nil
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
}

func (c *client) checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return badPage("more than %d redirects", maxRedirects)
	}
	if err := c.sameOrigin(req.URL); err != nil {
		return badPage("redirect %v", err)
	}
	return nil
}

// next reads the address of the next page.
func (c *client) next(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", badPage("next is no address: %.128q", address)
	}
	u = c.base.ResolveReference(u)
	if err := c.sameOrigin(u); err != nil {
		return "", badPage("next %v", err)
	}
	u.Fragment = ""
	return u.String(), nil
}

// get asks for one page. Its error is an *apiError, a *pageError, or one of the network or the token.
func (c *client) get(ctx context.Context, address string) (p page, code int, err error) {
	token, err := c.token.get()
	if err != nil {
		return p, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return p, 0, badPage("%v", err)
	}
	if err := c.sameOrigin(req.URL); err != nil { // a stored address, and the configuration has changed since
		return p, 0, badPage("address %v", err)
	}
	req.Header.Set("Authorization", "Token "+token)
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		var broken *pageError
		if errors.As(err, &broken) {
			return p, 0, broken
		}
		return p, 0, err
	}
	defer resp.Body.Close()
	p.date, _ = http.ParseTime(resp.Header.Get("Date"))
	if resp.StatusCode != http.StatusOK {
		return p, resp.StatusCode, readError(resp, token)
	}
	err = c.read(resp, &p)
	return p, resp.StatusCode, err
}

// readError keeps the first words of an error's body, and never more: it may be a web page.
func readError(resp *http.Response, token string) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "?")), " ")
	text = strings.ReplaceAll(text, token, "<token>") // an API may repeat it
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	e := &apiError{code: resp.StatusCode, retryAfter: retryAfter(resp), token: configopaque.String(token)}
	if text != "" {
		e.text = strconv.Quote(text)
	}
	return e
}

// retryAfter reads both forms of the header: seconds, and a time by the API's own clock.
func retryAfter(resp *http.Response) time.Duration {
	value := resp.Header.Get("Retry-After")
	var d time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if until, err := http.ParseTime(value); err == nil {
		from := time.Now()
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			from = date
		}
		d = until.Sub(from)
	}
	return min(max(d, 0), maxRetryAfter)
}

// read reads the envelope. It is lenient with the scans themselves: one that is broken inside (half a surrogate pair of a
// mail's subject) must not keep its page from being read; it goes on and becomes an invalid record.
func (c *client) read(resp *http.Response, p *page) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxBytes+1))
	if err != nil {
		return err
	}
	if int64(len(body)) > c.maxBytes {
		return badPage("longer than max_page_bytes, %d", c.maxBytes)
	}
	e, err := readEnvelope(body)
	var broken *pageError
	switch {
	case errors.As(err, &broken):
		return err
	case err != nil:
		return badPage("no list as JSON (%.100q, %d bytes): %.200v", resp.Header.Get("Content-Type"), len(body), err)
	case !e.isList:
		return badPage("no member results (%d bytes)", len(body))
	}
	p.results = e.results
	if e.next != "" && e.hasMore { // the last page may name a next one all the same
		p.next, p.nextErr = c.next(e.next)
	}
	return nil
}

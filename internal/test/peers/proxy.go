package peers

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// Fault is what a Proxy does to a request.
type Fault int

// Faults.
const (
	Pass     Fault = iota
	SlowDown       // 503 SlowDown; the server does not see the request
	Cut            // the connection breaks; the server does not see the request
	CutAfter       // the server carries the request out, and the connection breaks before its answer
)

// Proxy stands before an HTTP server, breaks what the test wants broken and keeps the requests' headers. Unlike Toxiproxy it
// knows where a request ends.
type Proxy struct {
	URL string
	// Fault says what becomes of a request; nil passes all. It is called by many goroutines.
	Fault func(r *http.Request) Fault
	// RetryAfter goes with each SlowDown, unless empty: seconds.
	RetryAfter string

	mu       sync.Mutex
	requests []*http.Request
}

// StartProxy starts a proxy until the test ends. Signatures stay valid, for it leaves the Host header alone.
func StartProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	target, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{}
	forward := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ErrorLog: log.New(io.Discard, "", 0),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests = append(p.requests, r.Clone(r.Context()))
		p.mu.Unlock()
		fault := Pass
		if p.Fault != nil {
			fault = p.Fault(r)
		}
		switch fault {
		case SlowDown:
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/xml")
			if p.RetryAfter != "" {
				w.Header().Set("Retry-After", p.RetryAfter)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
		case Cut:
			panic(http.ErrAbortHandler)
		case CutAfter:
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			forward.ServeHTTP(w, r)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// Requests are the requests so far, without their bodies.
func (p *Proxy) Requests() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*http.Request(nil), p.requests...)
}

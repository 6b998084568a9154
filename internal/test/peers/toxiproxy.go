package peers

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Toxiproxy is a TCP proxy before a server, with faults that can be switched on and off.
// See https://github.com/Shopify/toxiproxy#toxics for their names and attributes.
type Toxiproxy struct {
	URL string // http://host:port, in place of the server's
	api string
}

// StartToxiproxy starts a proxy before the server at upstream, http://host:port, until the test ends.
func StartToxiproxy(t *testing.T, upstream string) *Toxiproxy {
	t.Helper()
	binary := Tool(t, "toxiproxy", "github.com/Shopify/toxiproxy/v2/cmd/server")
	api, listen := FreeAddress(t), FreeAddress(t)
	host, port, err := net.SplitHostPort(api)
	if err != nil {
		t.Fatal(err)
	}
	Start(t, api, exec.Command(binary, "-host", host, "-port", port))
	p := &Toxiproxy{URL: "http://" + listen, api: "http://" + api}
	p.call(t, http.MethodPost, "/proxies", map[string]any{
		"name": "store", "listen": listen, "upstream": strings.TrimPrefix(upstream, "http://"), "enabled": true,
	})
	return p
}

// Add switches a toxic on. stream is "upstream", what the client sends, or "downstream"; toxicity is the share of the
// connections that it is for, 0 to 1.
func (p *Toxiproxy) Add(t testing.TB, kind, stream string, toxicity float64, attributes map[string]any) {
	t.Helper()
	p.call(t, http.MethodPost, "/proxies/store/toxics", map[string]any{
		"name": kind + "_" + stream, "type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes,
	})
}

// Remove switches a toxic off.
func (p *Toxiproxy) Remove(t testing.TB, kind, stream string) {
	t.Helper()
	p.call(t, http.MethodDelete, "/proxies/store/toxics/"+kind+"_"+stream, nil)
}

// Enable takes connections, or refuses them and breaks those that are there.
func (p *Toxiproxy) Enable(t testing.TB, on bool) {
	t.Helper()
	p.call(t, http.MethodPost, "/proxies/store", map[string]any{"enabled": on})
}

func (p *Toxiproxy) call(t testing.TB, method, path string, body any) {
	t.Helper()
	var content bytes.Buffer
	if err := json.NewEncoder(&content).Encode(body); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(method, p.api+path, &content)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", "siempipe-test") // it refuses those of browsers
	response, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		t.Fatalf("peer: toxiproxy: %v", err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("peer: toxiproxy: %s %s: %s\n%s", method, path, response.Status, text)
	}
}

package perceptionpointreceiver

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
)

func TestDefaults(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	cfg := createDefaultConfig().(*Config)
	cfg.Region, cfg.Token = "eu", token
	require.NoError(t, confmap.Validate(cfg))
	base, err := cfg.base()
	require.NoError(t, err)
	assert.Equal(t, "https://api.eu.perception-point.io", base.String())
	text, err := json.Marshal(cfg)
	require.NoError(t, err)
	assert.NotContains(t, string(text), token)
}

func TestConfigFromYAML(t *testing.T) {
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(`
region: au
token_file: /etc/token
start_time: 2025-03-01T00:00:00Z
end_time: "2025-04-01T00:00:00+02:00"
overlap: 24h
recheck_interval: 15m
filters: {origin: [email, s3], organization_id: 4711, belongs_to_vip: true}
audit_events: {enabled: true}
tls: {min_version: "1.3"}
storage: file_storage/state
`))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, conf.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	assert.True(t, cfg.StartTime.Equal(time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)))
	assert.True(t, cfg.EndTime.Equal(time.Date(2025, 3, 31, 22, 0, 0, 0, time.UTC)))
	assert.Equal(t, defaultAuditPath, cfg.AuditEvents.Path)
	q, err := cfg.query()
	require.NoError(t, err)
	assert.Equal(t, "belongs_to_vip=true&organization_id=4711&origin=email&origin=s3", q.Encode())
	assert.Equal(t, "file_storage/state", cfg.Storage.String())
}

func TestValidate(t *testing.T) {
	start := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		change func(*Config)
		want   []string // "" is fine
	}{
		"all is well":                {func(*Config) {}, nil},
		"no region":                  {func(c *Config) { c.Region = "" }, []string{"region: required"}},
		"unknown region":             {func(c *Config) { c.Region = "uk" }, []string{`region: "uk", want one of us, eu, au`}},
		"region and endpoint":        {func(c *Config) { c.Endpoint = "https://x.example" }, []string{"endpoint: not together with region"}},
		"plain http":                 {endpoint("http://api.example"), []string{"endpoint: ", "want https"}},
		"plain http on loopback":     {endpoint("http://127.0.0.1:8443"), nil},
		"plain http on IPv6":         {endpoint("http://[::1]:8443/"), nil},
		"plain http on localhost":    {endpoint("http://localhost:8443"), nil},
		"http on a lookalike":        {endpoint("http://127.0.0.1.example"), []string{"want https"}},
		"https elsewhere":            {endpoint("https://api.example:8443"), nil},
		"endpoint with a path":       {endpoint("https://api.example/v1"), []string{"endpoint: "}},
		"endpoint with a user":       {endpoint("https://u:p@api.example"), []string{"endpoint: "}},
		"endpoint without a scheme":  {endpoint("api.example"), []string{"endpoint: "}},
		"another scheme":             {endpoint("ftp://api.example"), []string{"endpoint: "}},
		"no token":                   {func(c *Config) { c.Token = "" }, []string{"token: required"}},
		"two tokens":                 {func(c *Config) { c.TokenFile = "/x" }, []string{"token_file: not together"}},
		"token with a line end":      {func(c *Config) { c.Token = "secret-part\r\nX: y" }, []string{"token: holds a blank"}},
		"times":                      {func(c *Config) { c.Interval, c.Overlap, c.Window = 0, time.Millisecond, -1 }, []string{"interval: 0s", "overlap: 1ms", "window: -1ns"}},
		"retries":                    {func(c *Config) { c.Retry = RetryConfig{InitialInterval: time.Minute, MaxInterval: time.Second} }, []string{"retry::max_interval: 1s, want at least 1m0s"}},
		"end without start":          {func(c *Config) { c.EndTime = start }, []string{"end_time: only together with start_time"}},
		"end before start":           {func(c *Config) { c.StartTime, c.EndTime = start, start }, []string{"end_time: 2025-03-01T00:00:00Z is not after start_time"}},
		"no stream":                  {func(c *Config) { c.Scans.Enabled = false }, []string{"scans::enabled"}},
		"path without a slash":       {func(c *Config) { c.Scans.Path = "api/v1" }, []string{`scans::path: "api/v1"`}},
		"path to another host":       {func(c *Config) { c.Scans.Path = "//evil.example/x" }, []string{"scans::path"}},
		"own parameter as a filter":  {func(c *Config) { c.Filters = map[string]any{"start": "1"} }, []string{`filters: "start" is set by the receiver`}},
		"filter of another type":     {func(c *Config) { c.Filters = map[string]any{"origin": map[string]any{}} }, []string{"filters::origin"}},
		"ignored field without name": {func(c *Config) { c.IgnoreChanges = []string{"a.b.c", ""} }, []string{"ignore_changes[0]", "ignore_changes[1]"}},
		"bounds":                     {func(c *Config) { c.MaxPageBytes, c.MaxPages, c.MaxTrackedScans = 0, 0, 0 }, []string{"max_page_bytes", "max_pages", "max_tracked_scans"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			cfg.Region, cfg.Token = "us", token
			test.change(cfg)
			err := confmap.Validate(cfg)
			if test.want == nil {
				assert.NoError(t, err)
				return
			}
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			assert.False(t, strings.Contains(err.Error(), "secret-part"), "no part of a token in an error")
		})
	}
}

func endpoint(address string) func(*Config) {
	return func(c *Config) { c.Region, c.Endpoint = "", address }
}

package perceptionpointreceiver

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"

	"github.com/siempipe/siempipe/internal/collector/backoff"
)

// regions are the addresses of the API: https://docs.perception-point.io/WP/Content/PP/API.htm
var regions = map[string]string{
	"us": "https://api.perception-point.io",
	"eu": "https://api.eu.perception-point.io",
	"au": "https://api.aus.perception-point.io",
}

// Defaults, with what speaks for them.
const (
	defaultInterval = time.Minute
	defaultLookback = 24 * time.Hour
	defaultOverlap  = 10 * time.Minute
	// A window is the range that one chain of pages lists. An hour of a busy organization is some thousand pages.
	defaultWindow = time.Hour
	// A page of the vendor's holds about twenty scans of some kilobytes each.
	defaultMaxPageBytes = 32 << 20
	// At 32 bytes a scan, 128 MiB. Ten million scans a day are 70,000 in the default overlap and 420,000 in a window.
	defaultMaxTracked = 4 << 20
	// What the vendor's own pages are: 100,000 of them are two million scans in one window.
	defaultMaxPages = 100_000

	defaultRetryInitial = time.Second
	defaultRetryMax     = 5 * time.Minute
	defaultTimeout      = time.Minute

	defaultScansPath = "/api/v1/scans/list/"
	defaultAuditPath = "/api/v1/audit-events/"
	// A link to an image that is signed anew for each request would make every scan a changed one.
	defaultIgnored = "sample.pe_icon_link"
)

// minOverlap is the resolution of the API's start and end.
const minOverlap = time.Second

// Config is what users may say about the receiver.
type Config struct {
	// ClientConfig is how the API is reached; its endpoint stands in the place of a region, as https://host[:port].
	confighttp.ClientConfig `mapstructure:",squash"`
	// Region is that of the organization: us, eu or au.
	Region string `mapstructure:"region"`
	// Token is the API token.
	Token configopaque.String `mapstructure:"token"`
	// TokenFile holds the token in the place of token. It is read again for each request, so that a new token needs no restart.
	TokenFile string `mapstructure:"token_file"`

	// Interval is how often new scans are asked for.
	Interval time.Duration `mapstructure:"interval"`
	// InitialLookback is how far back the first start goes, and each start without storage.
	InitialLookback time.Duration `mapstructure:"initial_lookback"`
	// Overlap is how long after its creation a scan is looked at again, since its verdict and action may change.
	Overlap time.Duration `mapstructure:"overlap"`
	// RecheckInterval is how often all of the overlap is listed again; 0 is at each interval. In between only its last two minutes are.
	RecheckInterval time.Duration `mapstructure:"recheck_interval"`
	// StartTime is where a backfill begins, in the place of initial_lookback.
	StartTime time.Time `mapstructure:"start_time"`
	// EndTime is where a backfill ends; the receiver is done then. Without it the receiver goes on with new scans.
	EndTime time.Time `mapstructure:"end_time"`
	// Window is the longest range of creation times that one chain of pages lists.
	Window time.Duration `mapstructure:"window"`

	// Filters are sent as query parameters, such as origin, organization_id, verbose_verdict: a text, or a list of texts for a parameter that is repeated.
	Filters map[string]any `mapstructure:"filters"`
	// IgnoreChanges are fields whose change does not make a scan a changed one: the name of a field, or two with a dot between.
	IgnoreChanges []string `mapstructure:"ignore_changes"`
	// Storage is the extension that keeps the place in the list and what scans looked like.
	Storage *component.ID `mapstructure:"storage"`

	// Scans is the stream of scans.
	Scans StreamConfig `mapstructure:"scans"`
	// AuditEvents is the stream of what users and administrators did.
	AuditEvents StreamConfig `mapstructure:"audit_events"`

	// Retry is how long to wait after what can get better.
	Retry RetryConfig `mapstructure:"retry"`
	// MaxPageBytes bounds a page of the API.
	MaxPageBytes int64 `mapstructure:"max_page_bytes"`
	// MaxPages bounds how many pages one window may have; a list that goes on behind them begins again at the next interval.
	MaxPages int `mapstructure:"max_pages"`
	// MaxTrackedScans bounds how many scans are remembered, at 32 bytes of memory and storage each. The oldest are forgotten first: such a scan may come out again.
	MaxTrackedScans int `mapstructure:"max_tracked_scans"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// StreamConfig is one list of the API.
type StreamConfig struct {
	// Enabled switches the stream on.
	Enabled bool `mapstructure:"enabled"`
	// Path is the address of the list at the endpoint.
	Path string `mapstructure:"path"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RetryConfig bounds the wait between two tries. It doubles from the first to the last, shortened at random by up to half.
type RetryConfig struct {
	// InitialInterval is the wait after the first failure.
	InitialInterval time.Duration `mapstructure:"initial_interval"`
	// MaxInterval is the longest wait; a Retry-After of the API may be longer, up to an hour.
	MaxInterval time.Duration `mapstructure:"max_interval"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func (r RetryConfig) backoff() backoff.Backoff {
	return backoff.Backoff{First: r.InitialInterval, Max: r.MaxInterval}
}

var _ confmap.Validator = (*Config)(nil)

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = defaultTimeout
	return &Config{
		ClientConfig:    client,
		Interval:        defaultInterval,
		InitialLookback: defaultLookback,
		Overlap:         defaultOverlap,
		Window:          defaultWindow,
		IgnoreChanges:   []string{defaultIgnored},
		Scans:           StreamConfig{Enabled: true, Path: defaultScansPath},
		AuditEvents:     StreamConfig{Path: defaultAuditPath},
		Retry:           RetryConfig{InitialInterval: defaultRetryInitial, MaxInterval: defaultRetryMax},
		MaxPageBytes:    defaultMaxPageBytes,
		MaxPages:        defaultMaxPages,
		MaxTrackedScans: defaultMaxTracked,
	}
}

// Validate names every key that is wrong.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, err := c.base(); err != nil {
		errs = append(errs, err)
	}
	switch {
	case c.Token == "" && c.TokenFile == "":
		bad("token: required, or token_file")
	case c.Token != "" && c.TokenFile != "":
		bad("token_file: not together with token")
	case c.Token != "":
		if err := checkToken(string(c.Token)); err != nil {
			bad("token: %w", err)
		}
	}
	for _, d := range []struct {
		key   string
		value time.Duration
		least time.Duration
	}{
		{"interval", c.Interval, time.Millisecond}, {"initial_lookback", c.InitialLookback, minOverlap}, {"overlap", c.Overlap, minOverlap},
		{"recheck_interval", c.RecheckInterval, 0}, {"window", c.Window, minOverlap}, {"timeout", c.Timeout, time.Millisecond},
		{"retry::initial_interval", c.Retry.InitialInterval, time.Millisecond}, {"retry::max_interval", c.Retry.MaxInterval, c.Retry.InitialInterval},
	} {
		if d.value < d.least {
			bad("%s: %v, want at least %v", d.key, d.value, d.least)
		}
	}
	if !c.EndTime.IsZero() {
		switch {
		case c.StartTime.IsZero():
			bad("end_time: only together with start_time")
		case !c.EndTime.After(c.StartTime):
			bad("end_time: %s is not after start_time", c.EndTime.Format(time.RFC3339))
		}
	}
	if !c.Scans.Enabled && !c.AuditEvents.Enabled {
		bad("scans::enabled: neither scans nor audit_events are enabled")
	}
	for key, s := range map[string]*StreamConfig{"scans": &c.Scans, "audit_events": &c.AuditEvents} {
		if u, err := url.Parse(s.Path); s.Enabled && (err != nil || !strings.HasPrefix(s.Path, "/") || strings.HasPrefix(s.Path, "//") || u.RawQuery != "" || u.Fragment != "") {
			bad("%s::path: %q, want one like %s", key, s.Path, defaultScansPath)
		}
	}
	if _, err := c.query(); err != nil {
		errs = append(errs, err)
	}
	for i, name := range c.IgnoreChanges {
		if name == "" || strings.Count(name, ".") > 1 || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") {
			bad("ignore_changes[%d]: %q, want the name of a field, or two with a dot between", i, name)
		}
	}
	if c.MaxPageBytes < 1 {
		bad("max_page_bytes: %d, want a positive number of bytes", c.MaxPageBytes)
	}
	if c.MaxPages < 1 {
		bad("max_pages: %d, want a positive number", c.MaxPages)
	}
	if c.MaxTrackedScans < 1 {
		bad("max_tracked_scans: %d, want a positive number", c.MaxTrackedScans)
	}
	return errors.Join(errs...)
}

// base is the address of the API: scheme and host.
func (c *Config) base() (*url.URL, error) {
	if c.Endpoint == "" {
		if address, ok := regions[c.Region]; ok {
			return url.Parse(address)
		}
		if c.Region == "" {
			return nil, errors.New("region: required, one of us, eu, au; or endpoint")
		}
		return nil, fmt.Errorf("region: %.64q, want one of us, eu, au", c.Region)
	}
	if c.Region != "" {
		return nil, errors.New("endpoint: not together with region")
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("endpoint: %.128q, want https://host or https://host:port", c.Endpoint)
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	case u.Scheme == "http":
		return nil, fmt.Errorf("endpoint: %.128q, want https: the token would travel in the clear", c.Endpoint)
	default:
		return nil, fmt.Errorf("endpoint: %.128q, want https://host or https://host:port", c.Endpoint)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// reservedParameters are those that the receiver sets itself.
var reservedParameters = []string{"start", "end", "_cursor"}

// query is the filters as query parameters.
func (c *Config) query() (url.Values, error) {
	q := url.Values{}
	var errs []error
	for name, value := range c.Filters {
		if slices.Contains(reservedParameters, name) || name == "" {
			errs = append(errs, fmt.Errorf("filters: %q is set by the receiver", name))
			continue
		}
		values, ok := value.([]any)
		if !ok {
			values = []any{value}
		}
		for _, v := range values {
			switch v.(type) {
			case string, bool, int, int64, uint64, float64:
				q.Add(name, fmt.Sprint(v))
			default:
				errs = append(errs, fmt.Errorf("filters::%s: want a text or a list of texts", name))
			}
		}
	}
	return q, errors.Join(errs...)
}

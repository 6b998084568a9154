package pipesyslogexporter

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/siempipe/siempipe/exporter/pipesyslogexporter/internal/metadata"
)

// load reads one exporter of testdata/config.yaml.
func load(t *testing.T, id string) *Config {
	t.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := conf.Sub("exporters::" + id)
	require.NoError(t, err)
	c := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(c))
	return c
}

func TestExampleLoadsAndStarts(t *testing.T) {
	for _, id := range []string{"pipe_syslog", "pipe_syslog/everything", "pipe_syslog/failover", "pipe_syslog/vendor", "pipe_syslog/local"} {
		t.Run(id, func(t *testing.T) {
			c := load(t, id)
			require.NoError(t, confmap.Validate(c))
			e, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), c)
			require.NoError(t, err)
			require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
			require.NoError(t, e.Shutdown(t.Context()))
		})
	}
}

func TestConfigHoldsEveryKey(t *testing.T) {
	c := load(t, "pipe_syslog/everything")
	require.Equal(t, "[::1]:6514", c.Endpoint)
	require.Equal(t, "rfc3164", c.Header)
	require.Equal(t, "newline", c.Framing)
	require.Equal(t, "auth", c.Facility)
	require.Equal(t, "collector-1", c.Hostname)
	require.Equal(t, 2048, c.MaxMessageLength)
	require.Equal(t, "split", c.Overflow)
	require.Equal(t, "replace", c.Escape)
	require.Equal(t, []Field{{Key: "Time", From: "datetime"}, {Key: "Verdict"}, {Key: "Title", From: "attack_scenario"}}, c.Fields)
	require.True(t, c.IncludeInvalid)
	require.Equal(t, 10*time.Second, c.Timeout)
	require.Equal(t, 500*time.Millisecond, c.RetryConfig.InitialInterval)
	require.Equal(t, 2, c.QueueConfig.Get().NumConsumers)
	require.EqualValues(t, 100, c.QueueConfig.Get().Batch.Get().MinSize)
}

func TestSeveralEndpoints(t *testing.T) {
	c := load(t, "pipe_syslog/failover")
	w := c.writer()
	require.Equal(t, []string{"siem-1.example.com:6514", "siem-2.example.com:6514"}, w.Endpoints)
	require.Equal(t, time.Minute, w.Failback)
	require.Equal(t, 10*time.Minute, c.TLS.ReloadInterval)
	c.Endpoints[1] = "nowhere"
	require.ErrorContains(t, confmap.Validate(c), "endpoints[1]: ")
	c.Endpoint = "siem.example.com:6514"
	require.ErrorContains(t, confmap.Validate(c), "endpoints: use either")
	c.Endpoints, c.FailbackInterval = nil, -1
	require.ErrorContains(t, confmap.Validate(c), "failback_interval: ")
}

func TestDefaults(t *testing.T) {
	c := load(t, "pipe_syslog")
	require.Equal(t, "tcp", c.Network)
	require.False(t, c.TLS.Insecure, "TLS unless the user says otherwise")
	require.Equal(t, "rfc5424", c.Header)
	require.Equal(t, "octet_counting", c.Framing)
	require.Equal(t, 1024, c.MaxMessageLength)
	require.Equal(t, "shorten", c.Overflow)
	require.Equal(t, "backslash", c.Escape)
	require.Zero(t, c.RetryConfig.MaxElapsedTime)
	require.Positive(t, c.TLS.ReloadInterval, "renewed certificates are taken up without a restart")
	require.Positive(t, c.FailbackInterval)
	require.True(t, c.QueueConfig.Get().BlockOnOverflow)
	require.True(t, c.QueueConfig.Get().Batch.HasValue())
	require.NoError(t, componenttest.CheckConfigStruct(c))
}

func TestValidateNamesEveryMistake(t *testing.T) {
	c := createDefaultConfig().(*Config)
	c.Network, c.Header, c.Framing, c.Facility = "sctp", "cef", "lines", "local8"
	c.Overflow, c.Escape, c.MaxMessageLength, c.Timeout = "cut", "html", 10, 0
	c.AppName = "two words"
	c.Fields = []Field{{Key: "a:b"}}
	c.TLS.MinVersion = "1.0"
	err := confmap.Validate(c)
	for _, key := range []string{"endpoint: ", "network: ", "header", "framing: ", "facility: ", "overflow: ", "escape: ",
		"max_message_length: ", "timeout: ", "fields[0].key: ", "tls::min_version: "} {
		require.ErrorContains(t, err, key)
	}
	for name, change := range map[string]func(*Config){
		"app_name: ":           func(c *Config) { c.AppName = "two words" },
		"hostname: ":           func(c *Config) { c.Hostname = "h\r\n<14>" },
		"endpoint: ":           func(c *Config) { c.Endpoint = "::1:514" },
		"max_message_length: ": func(c *Config) { c.Network, c.MaxMessageLength = "udp", 65508 },
		"max_message_length: 256 less a header of up to 131 bytes leaves 125 for the record; 192": func(c *Config) {
			c.MaxMessageLength, c.Hostname = 256, strings.Repeat("h", 80)
		},
		"hostname: 'ö'":   func(c *Config) { c.Hostname = "ö" },
		"tls::insecure: ": func(c *Config) { c.TLS.Insecure, c.TLS.CAFile = true, "ca.pem" },
		"tls: ":           func(c *Config) { c.Network, c.TLS.CAFile = "udp", "ca.pem" },
	} {
		c := createDefaultConfig().(*Config)
		c.Endpoint = "siem.example.com:6514"
		require.NoError(t, confmap.Validate(c))
		change(c)
		require.ErrorContains(t, confmap.Validate(c), name)
	}
}

func TestMissingCertificateStopsTheStart(t *testing.T) {
	c := createDefaultConfig().(*Config)
	c.Endpoint, c.TLS.CAFile = "siem.example.com:6514", "testdata/none.pem"
	e, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(component.MustNewType("pipe_syslog")), c)
	require.NoError(t, err)
	require.ErrorContains(t, e.Start(t.Context(), componenttest.NewNopHost()), "tls: ")
	require.NoError(t, e.Shutdown(t.Context()))
}

package pipesyslogexporter

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/siempipe/siempipe/internal/deliver/syslog"
	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/encodings"
	"github.com/siempipe/siempipe/internal/encode/pipe"
)

// Config is the configuration of the exporter. README.md describes each key.
type Config struct {
	exporterhelper.TimeoutConfig `mapstructure:",squash"`

	// host:port, [address]:port for IPv6, or the path of a unix socket.
	Endpoint string `mapstructure:"endpoint"`
	// Several endpoints instead of endpoint: the first is used, the others in order when those before them fail.
	Endpoints []string `mapstructure:"endpoints"`
	// How long another endpoint than the first is used before the first is tried again; 0 stays until the connection ends.
	FailbackInterval time.Duration          `mapstructure:"failback_interval"`
	Network          string                 `mapstructure:"network"`
	TLS              configtls.ClientConfig `mapstructure:"tls"`

	Header   string `mapstructure:"header"`
	Framing  string `mapstructure:"framing"`
	Facility string `mapstructure:"facility"`
	AppName  string `mapstructure:"app_name"`
	Hostname string `mapstructure:"hostname"`

	MaxMessageLength int     `mapstructure:"max_message_length"`
	Overflow         string  `mapstructure:"overflow"`
	Escape           string  `mapstructure:"escape"`
	Fields           []Field `mapstructure:"fields"`
	IncludeInvalid   bool    `mapstructure:"include_invalid"`

	RetryConfig configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Field is one key of the message, chosen by the user.
type Field struct {
	Key  string `mapstructure:"key"`
	From string `mapstructure:"from"`

	// prevent unkeyed literal initialization
	_ struct{}
}

const (
	// defaultConsumers is how many connections are kept: one is often enough, several outlive a slow peer's round trips.
	defaultConsumers = 4
	// defaultFailback is how long a SIEM may stay on its second endpoint after the first is back.
	defaultFailback = 5 * time.Minute
	// defaultReload is below the overlap that any renewal leaves between two certificates. Files are read for new
	// connections only, so that it costs nothing.
	defaultReload = time.Minute
)

func createDefaultConfig() component.Config {
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval = time.Second
	retry.MaxElapsedTime = 0 // never give a record up because the SIEM is away for long
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.BlockOnOverflow = true
	queue.NumConsumers = defaultConsumers
	batch := queue.Batch.GetOrInsertDefault()
	batch.FlushTimeout = 200 * time.Millisecond
	batch.MinSize = 1000
	tls := configtls.NewDefaultClientConfig()
	tls.ReloadInterval = defaultReload
	return &Config{
		TimeoutConfig:    exporterhelper.NewDefaultTimeoutConfig(),
		FailbackInterval: defaultFailback,
		Network:          syslog.TCP,
		TLS:              tls,
		Header:           syslog.RFC5424,
		Framing:          syslog.OctetCounting,
		Facility:         "local0",
		AppName:          "siempipe",
		MaxMessageLength: pipe.DefaultMaxLength,
		Overflow:         encode.OverflowShorten,
		Escape:           pipe.EscapeBackslash,
		RetryConfig:      retry,
		QueueConfig:      configoptional.Some(queue),
	}
}

var _ confmap.Validator = (*Config)(nil)

// Validate reports every mistake, each by its key.
func (c *Config) Validate() error {
	writer := c.writer()
	errs := []error{writer.Validate(), encodings.Check(encodings.Default, c.encoder())}
	if c.Timeout <= 0 {
		errs = append(errs, errors.New("timeout: must be positive, or a peer that stops reading would hold its connection for ever"))
	}
	if c.Endpoint != "" && len(c.Endpoints) > 0 {
		errs = append(errs, errors.New("endpoints: use either endpoint or endpoints"))
	}
	header, err := c.header()
	errs = append(errs, err, header.Validate())
	errs = append(errs, syslog.CheckLength(c.MaxMessageLength, c.Network, &header))
	if slices.Contains([]string{"1.0", "1.1"}, c.TLS.MinVersion) {
		errs = append(errs, fmt.Errorf("tls::min_version: %s is broken; 1.2 is the least", c.TLS.MinVersion))
	}
	if c.TLS.CAFile != "" || c.TLS.CertFile != "" || c.TLS.CAPem != "" || c.TLS.CertPem != "" {
		switch {
		case c.Network != syslog.TCP:
			errs = append(errs, fmt.Errorf("tls: network %s knows no TLS", c.Network))
		case c.TLS.Insecure: // other exporters use TLS then, and this one would send plain text
			errs = append(errs, errors.New("tls::insecure: true is plain text, and yet there is an authority or a certificate"))
		}
	}
	return errors.Join(errs...)
}

// header is the core's configuration of headers.
func (c *Config) header() (syslog.HeaderConfig, error) {
	h := syslog.HeaderConfig{Format: c.Header, AppName: c.AppName, Hostname: c.Hostname}
	if h.Hostname == "" {
		h.Hostname = syslog.OwnHostname(c.Header)
	}
	var err error
	if h.Facility, err = syslog.Facility(c.Facility); err != nil {
		return h, fmt.Errorf("facility: %w", err)
	}
	return h, nil
}

// encoder is the core's configuration of messages.
func (c *Config) encoder() encode.Config {
	fields := make([]encode.Field, len(c.Fields))
	for i, f := range c.Fields {
		fields[i] = encode.Field{Key: f.Key, From: f.From}
	}
	return encode.Config{Escape: c.Escape, Overflow: c.Overflow, Fields: fields}
}

// writer is the core's configuration of connections, without TLS.
func (c *Config) writer() syslog.WriterConfig {
	endpoints := c.Endpoints
	if len(endpoints) == 0 {
		endpoints = []string{c.Endpoint}
	}
	return syslog.WriterConfig{
		Network:   c.Network,
		Endpoints: endpoints,
		Failback:  c.FailbackInterval,
		Framing:   c.Framing,
		Timeout:   max(0, c.Timeout),
	}
}

package findingsreceiver

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
)

// Defaults, with what speaks for them.
const (
	defaultEndpoint = "localhost:8080"
	defaultPath     = "/v1/events"
	// A vendor's file is at most tens of megabytes packed and ten times that unpacked; both stream, so the limits bound
	// the work of one request, not memory.
	defaultMaxRequestBodySize  = 256 << 20
	defaultMaxDecompressedSize = 1 << 30
	// confighttp's 30 s would cut off a large body on a slow line while it is still being taken.
	defaultBodyTimeout = 5 * time.Minute
	// What a request may hold is bounded (one record and one batch, and max_request_body_size on disk while a signature is
	// unchecked); this bounds all of them. Far more than keep two cores busy.
	defaultMaxConcurrentRequests = 64

	defaultHMACHeader = "X-Signature-256"
	minSecretBytes    = 16 // 128 bits; a shorter secret can be searched for
)

// Config is what users may say about the receiver.
type Config struct {
	confighttp.ServerConfig `mapstructure:",squash"`
	// Path takes records of every format; Path/{format} those of one.
	Path string `mapstructure:"path"`
	// HMAC, when set, refuses bodies that are not signed with its secret.
	HMAC configoptional.Optional[HMACConfig] `mapstructure:"hmac"`
	// MaxDecompressedSize bounds a body after decompression, in bytes.
	MaxDecompressedSize int64 `mapstructure:"max_decompressed_size"`
	// MaxConcurrentRequests bounds the requests that are being read; further ones are answered 429.
	MaxConcurrentRequests int `mapstructure:"max_concurrent_requests"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// HMACConfig is how senders sign: HMAC-SHA256 over the body as it is sent, in hexadecimal.
type HMACConfig struct {
	// Secret is shared with the senders.
	Secret configopaque.String `mapstructure:"secret"`
	// Header holds the signature, with or without "sha256=" before it.
	Header string `mapstructure:"header"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var (
	_ confmap.Validator = (*Config)(nil)
	_ confmap.Validator = (*HMACConfig)(nil)
)

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = defaultEndpoint
	server.MaxRequestBodySize = defaultMaxRequestBodySize
	server.ReadTimeout = defaultBodyTimeout
	server.WriteTimeout = defaultBodyTimeout
	return &Config{
		ServerConfig:          server,
		Path:                  defaultPath,
		HMAC:                  configoptional.Default(HMACConfig{Header: defaultHMACHeader}),
		MaxDecompressedSize:   defaultMaxDecompressedSize,
		MaxConcurrentRequests: defaultMaxConcurrentRequests,
	}
}

// Validate names every key that is wrong.
func (c *Config) Validate() error {
	var errs []error
	if c.NetAddr.Endpoint == "" {
		errs = append(errs, errors.New("endpoint: required, as host:port"))
	}
	// The router takes blanks and braces for its own, and never sees a path that is not clean.
	if !strings.HasPrefix(c.Path, "/") || c.Path == "/" || path.Clean(c.Path) != c.Path || strings.ContainsAny(c.Path, "?#{} \t") {
		errs = append(errs, fmt.Errorf("path: %q, want one like %s, without a slash at its end, blanks or any of ?#{}", c.Path, defaultPath))
	}
	if c.MaxRequestBodySize <= 0 {
		errs = append(errs, fmt.Errorf("max_request_body_size: %d, want a positive number of bytes", c.MaxRequestBodySize))
	}
	if c.MaxDecompressedSize <= 0 {
		errs = append(errs, fmt.Errorf("max_decompressed_size: %d, want a positive number of bytes", c.MaxDecompressedSize))
	}
	if c.MaxConcurrentRequests <= 0 {
		errs = append(errs, fmt.Errorf("max_concurrent_requests: %d, want a positive number", c.MaxConcurrentRequests))
	}
	if len(c.CompressionAlgorithms) > 0 {
		errs = append(errs, errors.New("compression_algorithms: not settable, the receiver itself decompresses gzip and zstd"))
	}
	return errors.Join(errs...)
}

// Validate names every key that is wrong.
func (c *HMACConfig) Validate() error {
	var errs []error
	if len(c.Secret) < minSecretBytes {
		errs = append(errs, fmt.Errorf("secret: %d bytes, want at least %d", len(c.Secret), minSecretBytes))
	}
	if c.Header == "" || http.CanonicalHeaderKey(c.Header) == "" || strings.ContainsAny(c.Header, " :\r\n") {
		errs = append(errs, fmt.Errorf("header: %q is no header name", c.Header))
	}
	return errors.Join(errs...)
}

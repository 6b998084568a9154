// Package pipesyslogexporter sends records to a SIEM as pipe messages over syslog.
//
// It is the translation between the Collector and the core: messages are made by internal/encode/pipe, headers and connections by
// internal/deliver/syslog.
package pipesyslogexporter

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

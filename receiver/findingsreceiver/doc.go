// Package findingsreceiver takes security records over HTTP: findings, scans, vendors' files. It cuts a body into records
// while it streams in and answers only when the pipeline took all of them.
package findingsreceiver

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

// Package detectionprocessor evaluates log records against Sigma rules and adds a finding to the pipeline for each match.
//
// It is the translation between the Collector and the core: matching is in internal/detect/sigma, windows and findings are in
// internal/detect, the built-in rules are in rules.
package detectionprocessor

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

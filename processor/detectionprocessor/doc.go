// Package detectionprocessor holds records against Sigma rules and adds findings to the pipeline.
//
// It is the translation between the Collector and the core: matching is in internal/detect/sigma, windows and findings are in
// internal/detect, the rules that are built in in rules.
package detectionprocessor

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

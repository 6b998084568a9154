// Package findingstateprocessor remembers findings between scans and lets only what is new about them go on.
//
// It is the translation between the Collector and the core in internal/findingstate: it reads records, delivers what goes on,
// and only then lets the core write that it did.
package findingstateprocessor

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

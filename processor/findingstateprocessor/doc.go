// Package findingstateprocessor remembers findings between scans and passes on only those that are new or changed.
//
// It translates between the Collector and the core in internal/findingstate: it reads records, delivers those that the core lets
// through, and only then has the core write that it did.
package findingstateprocessor

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

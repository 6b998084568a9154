// Package siemprocessor parses security records, maps them to their schema and drops what nobody wants to see again.
//
// It translates between the Collector and package process, which does the work. The body of a record stays one JSON object as a
// string.
package siemprocessor

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

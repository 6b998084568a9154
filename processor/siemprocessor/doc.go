// Package siemprocessor parses security records, maps them to their schema and drops what nobody wants to see again.
//
// It is the translation between the Collector and the core: formats are in internal/format, suppressions in
// internal/process/suppress. The body of a record stays one JSON object as a string.
package siemprocessor

//go:generate mdatagen metadata.yaml

// Package findingsreceiver accepts findings, scans and vendors' files over HTTP and passes each record in them to the pipeline.
//
// It cuts a body into records while the body streams in, and responds only after the pipeline has taken all of them.
package findingsreceiver

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

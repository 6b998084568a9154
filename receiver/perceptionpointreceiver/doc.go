// Package perceptionpointreceiver reads scans and audit events from Perception Point's API and passes each one on once, and again
// when its verdict, its action or anything else of it changes.
//
// It looks for changes within the overlap. The stored place in the list moves only after the pipeline has taken a page.
package perceptionpointreceiver

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

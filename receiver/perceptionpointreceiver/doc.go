// Package perceptionpointreceiver pulls scans and audit events from Perception Point's API. Each scan comes out once, and
// again when its verdict, its action or anything else of it changes within the overlap. The place in the list moves only
// when the pipeline has taken a page.
package perceptionpointreceiver

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

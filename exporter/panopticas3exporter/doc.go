// Package panopticas3exporter stores records as newline-delimited JSON in the tree that Panoptica's S3 integration
// writes: Panoptica/<event_type>/<date>/<account>/<file>, in a bucket or in a directory. Records of different event
// types, days or accounts never share an object.
package panopticas3exporter

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

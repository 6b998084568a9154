// Package cloudstoragereceiver reads objects of Amazon S3, Azure Blob Storage and Google Cloud Storage into records, told of
// them by a queue or by listing. A message is deleted, and a checkpoint moves, only when the pipeline has taken every
// record.
package cloudstoragereceiver

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

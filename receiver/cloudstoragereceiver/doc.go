// Package cloudstoragereceiver reads logs and findings from objects in Amazon S3, Azure Blob Storage and Google Cloud Storage.
//
// A queue of notifications, or a listing, tells it of new objects. It deletes a message, or moves a checkpoint, only after the pipeline
// has taken every record.
package cloudstoragereceiver

//go:generate mdatagen metadata.yaml
//go:generate go test -run ^TestConfigSchema$ . -update-schema

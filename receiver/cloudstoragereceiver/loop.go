package cloudstoragereceiver

import (
	"fmt"

	"github.com/siempipe/siempipe/internal/collector/buckets"
	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/receiver/cloudstoragereceiver/internal/bucket"
)

// refuseLoop says that all the receiver would read is what this collector's own exporters write: it would fill the
// bucket for ever. Exporters are started before receivers.
func (c *Config) refuseLoop() error {
	if !c.S3.HasValue() {
		return nil
	}
	s3 := c.S3.Get()
	for _, root := range buckets.Written.Roots(s3.Endpoint, s3.Bucket) {
		if objectstore.UnderRoot(s3.Prefix, root) {
			return fmt.Errorf("s3::bucket: this collector itself writes to %s/%s, and would read for ever what it writes; set another bucket or prefix", s3.Bucket, root)
		}
	}
	return nil
}

// mayHaveWritten reports whether this collector may have written the object.
func (c *Config) mayHaveWritten(o bucket.Object) bool {
	if !c.S3.HasValue() {
		return false
	}
	s3 := c.S3.Get()
	name := o.Bucket
	if name == "" {
		name = s3.Bucket
	}
	for _, root := range buckets.Written.Roots(s3.Endpoint, name) {
		if objectstore.UnderRoot(o.Key, root) {
			return true
		}
	}
	return false
}

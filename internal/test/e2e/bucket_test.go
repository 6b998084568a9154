package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// TestCorpusToBucket: the whole path HTTP, siem, S3 against a real S3 server, object by object.
func TestCorpusToBucket(t *testing.T) {
	server := peers.StartS3(t)
	for _, compression := range []string{"none", "gzip", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			bucket := "corpus-" + compression
			server.CreateBucket(t, bucket)
			r := start(t, []string{"panoptica_s3"}, fmt.Sprintf(
				"  panoptica_s3:\n    bucket: %s\n    region: %s\n    endpoint: %s\n    force_path_style: true\n    compression: %s\n    root: Evidence\n%s",
				bucket, server.Region, server.Endpoint, compression, fast))
			all, kept := postCorpus(t, r)
			r.waitSent(t, "panoptica_s3", kept)
			var objects []harness.Object
			for key, content := range server.Objects(t, bucket) {
				o, err := harness.NewObject(key, content)
				require.NoError(t, err)
				objects = append(objects, o)
			}
			_, problems := harness.Compare(all, objects, "Evidence", true)
			for _, p := range problems {
				t.Error(p)
			}
			checkNames(t, "Evidence", compression, objects)
			checkFindings(t, objects)
		})
	}
}

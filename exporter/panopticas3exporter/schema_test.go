package panopticas3exporter

import (
	"testing"

	"github.com/siempipe/siempipe/internal/collector/configschema"
	"github.com/siempipe/siempipe/internal/deliver/objectstore"
)

func TestConfigSchema(t *testing.T) {
	configschema.Check(t, "exporter/panoptica_s3", createDefaultConfig(), configschema.Enums{
		"compression":                  {string(objectstore.None), string(objectstore.Gzip), string(objectstore.Zstd)},
		"partition_time":               {partitionByEvent, partitionByExport},
		"server_side_encryption::type": {objectstore.SSEAES256, objectstore.SSEKMS},
		"test_message":                 {testOff, testOnStart},
	})
}

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestComponentsAreInTheBinary(t *testing.T) {
	out, err := run(t, nil, "components")
	require.NoError(t, err, out)
	for _, name := range []string{
		"findings", "perception_point", "cloud_storage", "siem", "finding_state", "detection", "panoptica_s3", "pipe_syslog",
		"otlp", "file_log", "syslog", "kafka", "memory_limiter", "batch", "filter", "transform", "debug", "file", "otlp_http",
		"file_storage", "health_check", "basicauth", "bearertokenauth", "zpages",
	} {
		assert.Contains(t, out, "- name: "+name+"\n")
	}
}

// exampleEnv is what the examples read from the environment.
func exampleEnv(t *testing.T) []string {
	return []string{
		"SIEMPIPE_BUCKET=acme-security", "SIEMPIPE_TRAIL_BUCKET=acme-trail", "SIEMPIPE_REGION=eu-central-1", "SIEMPIPE_HMAC_SECRET=0123456789abcdef0123456789abcdef",
		"SIEMPIPE_SIEM=siem.example.com:6514", "SIEMPIPE_TOKEN=0123456789abcdef", "SIEMPIPE_STATE=" + t.TempDir(),
		"SIEMPIPE_LOG_BUCKET=acme-logs", "SIEMPIPE_QUEUE_URL=https://sqs.eu-central-1.amazonaws.com/111122223333/objects", "SIEMPIPE_KAFKA=localhost:9092",
		"SIEMPIPE_PROJECT=acme", "SIEMPIPE_INSTANCE=state-0", "SIEMPIPE_AZURE_ACCOUNT=https://acme.blob.core.windows.net",
	}
}

func TestExamplesValidate(t *testing.T) {
	examples, err := filepath.Glob("../../../examples/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, examples)
	for _, path := range examples {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := os.ReadFile(path) // tells go test that its cached result depends on it
			require.NoError(t, err)
			out, err := run(t, exampleEnv(t), "validate", "--config", path)
			require.NoError(t, err, out)
		})
	}
}

// The schemas are for editors; they must take what the collector takes.
func TestExamplesFollowTheSchemas(t *testing.T) {
	paths, err := filepath.Glob("../../../*/*/config.schema.json")
	require.NoError(t, err)
	schemas := map[string]*jsonschema.Schema{}
	for _, path := range paths {
		schema, err := jsonschema.NewCompiler().Compile(path)
		require.NoError(t, err, path)
		schemas[schema.Title] = schema
	}
	for _, id := range []string{"receiver/findings", "processor/siem", "exporter/panoptica_s3", "exporter/pipe_syslog"} {
		require.Contains(t, schemas, id)
	}
	examples, err := filepath.Glob("../../../examples/*.yaml")
	require.NoError(t, err)
	for _, path := range examples {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var config map[string]map[string]any
		require.NoError(t, yaml.Unmarshal(text, &config), path)
		for class, id := range map[string]string{"receivers": "receiver/", "processors": "processor/", "exporters": "exporter/"} {
			for name, settings := range config[class] {
				kind, _, _ := strings.Cut(name, "/")
				if schema := schemas[id+kind]; schema != nil && settings != nil {
					assert.NoError(t, schema.Validate(settings), "%s: %s", path, name)
				}
			}
		}
	}
	assert.Error(t, schemas["exporter/panoptica_s3"].Validate(map[string]any{"compresion": "gzip"}))
}

func TestValidateNamesEveryMistake(t *testing.T) {
	tests := map[string]struct {
		config string
		keys   []string
	}{
		"one in each component": {
			config: `
receivers:
  findings: {path: no-slash}
processors:
  siem: {on_invalid: discard}
exporters:
  panoptica_s3: {directory: ./out, partition_time: never}
  pipe_syslog: {endpoint: "localhost:6514", escape: quotes}
`,
			keys: []string{"findings: path", "siem: on_invalid", "panoptica_s3: partition_time", "pipe_syslog: escape"},
		},
		"one misspelled in each component": {
			config: `
receivers:
  findings: {pth: /v1/events}
processors:
  siem: {fromat: auto}
exporters:
  panoptica_s3: {directory: ./out, compresion: gzip}
  pipe_syslog: {endpoint: "localhost:6514"}
`,
			keys: []string{"invalid keys: pth", "invalid keys: fromat", "invalid keys: compresion"},
		},
		"three in one component": {
			config: `
receivers:
  findings:
processors:
  siem:
exporters:
  panoptica_s3: {directory: ./out}
  pipe_syslog: {endpoint: "localhost:6514", header: rfc1, framing: tabs, overflow: wrap}
`,
			keys: []string{"header:", "framing:", "overflow:"},
		},
		"three in the store": {
			config: `
receivers:
  findings:
processors:
  siem:
exporters:
  panoptica_s3: {directory: ./out, partition_time: never, compression: lzw, test_message: always}
  pipe_syslog: {endpoint: "localhost:6514"}
`,
			keys: []string{"partition_time:", "compression:", "test_message:"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(path, []byte(test.config+`
service:
  pipelines:
    logs: {receivers: [findings], processors: [siem], exporters: [panoptica_s3, pipe_syslog]}
`), 0o600))
			out, err := run(t, nil, "validate", "--config", path)
			require.Error(t, err, "it must not pass")
			for _, key := range test.keys {
				assert.Contains(t, out, key, "names the key with what is wrong")
			}
		})
	}
}

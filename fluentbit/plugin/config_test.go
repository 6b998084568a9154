package plugin

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/siempipe/siempipe/internal/encode/pipe"
)

// base is the least that each output needs.
var base = map[string]keys{
	outputS3:        {"output": "s3", "bucket": "acme-siem"},
	outputDirectory: {"output": "directory", "directory": "out"},
	outputSyslog:    {"output": "syslog", "endpoint": "siem.example.com:6514"},
}

func TestDefaults(t *testing.T) {
	for output, k := range base {
		c, err := readConfig(k)
		require.NoError(t, err, output)
		assert.Equal(t, 30*time.Second, c.timeout)
		assert.Equal(t, "auto", c.source.Format)
		assert.Equal(t, 1<<20, c.source.MaxRecordBytes)
		assert.True(t, c.exclude.Dismissed && c.exclude.Snoozed && !c.exclude.Resolved)
	}
	c, err := readConfig(base[outputSyslog])
	require.NoError(t, err)
	assert.Equal(t, pipe.DefaultMaxLength, c.maxLength)
	assert.False(t, c.tls.insecure, "TLS is on")
	assert.NotEmpty(t, c.header.Hostname)
}

// TestEveryKeyIsRead: each key changes the configuration, and takes no value that is none of its type.
func TestEveryKeyIsRead(t *testing.T) {
	values := map[string]string{
		"tenant_id": "id-1", "bucket": "other-bucket", "endpoint": "http://127.0.0.1:9000", "role_arn": "arn:aws:iam::111122223333:role/x",
		"acl": "private", "tags": "a=b,c=d", "expected_bucket_owner": "111122223333", "facility": "local7", "fields": "Id=@id,Subject",
		"scan_severities": "MAL=Critical", "vpc_flow_fields": "version account-id srcaddr dstaddr srcport dstport", "endpoints": "a:1, b:2",
		"server_side_encryption_kms_key_id": "alias/x", "external_id": "external", "session_name": "session",
	}
	with := map[string]keys{
		"server_side_encryption_kms_key_id": {"server_side_encryption_type": "aws:kms"},
		"external_id":                       {"role_arn": "arn:aws:iam::111122223333:role/x"}, "session_name": {"role_arn": "arn:aws:iam::111122223333:role/x"},
		"tls_cert_file": {"tls_key_file": "k"}, "tls_key_file": {"tls_cert_file": "c"},
		"endpoints": {"endpoint": ""},
	}
	for i := range Keys {
		k := &Keys[i]
		output := outputSyslog
		if len(k.Outputs) > 0 {
			output = k.Outputs[0]
		}
		if k.Name == "output" {
			continue
		}
		value := values[k.Name]
		bad := ""
		switch {
		case value != "":
		case len(k.Allowed) > 0:
			value, bad = k.Allowed[len(k.Allowed)-1], "none of them"
			if value == k.Default {
				value = k.Allowed[0]
			}
		case k.Type() == "bool":
			value, bad = map[string]string{"true": "off", "false": "ON"}[k.Default], "maybe"
		case k.Type() == "integer":
			value, bad = "2000", "many"
		case k.Type() == "duration":
			value, bad = "7s", "soon"
		default:
			value = "value"
		}
		changed := base[output].with(with[k.Name])
		before, err := readConfig(changed)
		if err != nil { // needs the key that is tried
			before = &config{}
		}
		changed = changed.with(keys{k.Name: value})
		after, err := readConfig(changed)
		require.NoError(t, err, k.Name)
		assert.NotEqual(t, before, after, k.Name)

		other := outputSyslog
		if output == outputSyslog {
			other = outputDirectory
		}
		_, err = readConfig(base[other].with(keys{k.Name: value}))
		if len(k.Outputs) > 0 && !slices.Contains(k.Outputs, other) {
			assert.ErrorContains(t, err, k.Name+": belongs to output "+strings.Join(k.Outputs, " and ")+", and output is "+other)
		}
		if bad != "" {
			_, err = readConfig(base[output].with(keys{k.Name: bad}))
			assert.ErrorContains(t, err, k.Name+`: "`+bad+`", want `)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		output, want string
		k            keys
	}{
		{outputS3, `output: required, want one of s3, directory, syslog`, keys{"output": ""}},
		{outputS3, `bucket: required with output s3`, keys{"bucket": " "}},
		{outputS3, `bucket: "No Bucket" is no bucket name`, keys{"bucket": "No Bucket"}},
		{outputS3, `endpoint: "localhost", want a URL`, keys{"endpoint": "localhost"}},
		{outputS3, `server_side_encryption_kms_key_id: needs type aws:kms`, keys{"server_side_encryption_kms_key_id": "x"}},
		{outputS3, `tags: "a", want name=value,name=value`, keys{"tags": "a"}},
		{outputS3, `tags: "a=b,a=c", names a twice`, keys{"tags": "a=b,a=c"}},
		{outputS3, `root: 300 bytes, want at most 256`, keys{"root": strings.Repeat("r", 300)}},
		{outputDirectory, `directory: required with output directory`, keys{"directory": ""}},
		{outputDirectory, `timeout: 0s, want more than 0`, keys{"timeout": "0"}},
		{outputDirectory, `timeout: "-5s", want a time such as`, keys{"timeout": "-5s"}},
		{outputDirectory, `tenant_id: "acme", want a text that starts with id`, keys{"tenant_id": "acme"}},
		{outputDirectory, `max_record_bytes: 0, want more than 0`, keys{"max_record_bytes": "0"}},
		{outputDirectory, `suppressions_reload_interval: 0s, want more than 0`, keys{"suppressions_file": "x", "suppressions_reload_interval": "0"}},
		{outputDirectory, `scan_severities, vpc_flow_fields: `, keys{"vpc_flow_fields": "nothing known"}},
		{outputSyslog, `endpoint: `, keys{"endpoint": ""}},
		{outputSyslog, `endpoints: use either endpoint or endpoints`, keys{"endpoints": "a:1"}},
		{outputSyslog, `facility: "local9" is neither a facility`, keys{"facility": "local9"}},
		{outputSyslog, `max_message_length: 100 is not 256 to 1048576`, keys{"max_message_length": "100"}},
		{outputSyslog, `fields[0].key: `, keys{"fields": "a|b"}},
		{outputSyslog, `tls_cert_file, tls_key_file: want both or none`, keys{"tls_cert_file": "x"}},
		{outputSyslog, `network udp knows no TLS`, keys{"network": "udp", "tls_ca_file": "x"}},
		{outputSyslog, `tls_insecure: true, and yet`, keys{"tls_insecure": "on", "tls_ca_file": "x"}},
	} {
		_, err := readConfig(base[c.output].with(c.k))
		assert.ErrorContains(t, err, c.want, c.k)
	}
}

// TestStartSaysEveryMistake: one log line for each, as errors.
func TestStartSaysEveryMistake(t *testing.T) {
	log := &lines{}
	_, err := New(keys{"output": "syslog", "escape": "quotes", "header": "rfc1", "timeout": "x"}, log)
	require.Error(t, err)
	assert.Len(t, log.all, 3)
	for _, line := range log.all {
		assert.True(t, strings.HasPrefix(line, "1 [output:siempipe] "), line)
	}

	log = &lines{}
	_, err = New(base[outputDirectory].with(keys{"suppressions_file": filepath.Join(t.TempDir(), "none.yaml")}), log)
	require.Error(t, err)
	assert.Contains(t, log.String(), "suppressions_file: ")

	log = &lines{}
	_, err = New(base[outputSyslog].with(keys{"tls_ca_file": "/dev/null"}), log)
	require.Error(t, err)
	assert.Contains(t, log.String(), "tls_ca_file: /dev/null holds no certificate in PEM")
}

// TestExamples: every key of ours in the examples is one, and its value is taken.
func TestExamples(t *testing.T) {
	paths, err := filepath.Glob("../../examples/fluent-bit/*")
	require.NoError(t, err)
	outputs := 0
	expand := strings.NewReplacer("${SIEMPIPE_BUCKET}", "acme-siem", "${SIEMPIPE_REGION}", "eu-central-1", "${SIEMPIPE_SIEM}", "siem.example.com:6514", "${SIEMPIPE_CA}", "ca.pem")
	check := func(path string, k keys) {
		outputs++
		for name := range k {
			known := slices.ContainsFunc(Keys, func(key Key) bool { return key.Name == name })
			assert.True(t, known || slices.Contains(hostKeys, name), "%s: %s", path, name)
		}
		_, err := readConfig(k)
		assert.NoError(t, err, path)
		assert.NotEmpty(t, k["workers"], "%s: without workers a flush holds up the host", path)
		assert.Equal(t, "no_limits", k["retry_limit"], path)
	}
	inYAML, classic := make(map[string]keys), make(map[string]keys)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		switch filepath.Ext(path) {
		case ".yaml":
			var file struct {
				Pipeline struct {
					Outputs []keys `yaml:"outputs"`
				} `yaml:"pipeline"`
			}
			require.NoError(t, yaml.Unmarshal([]byte(expand.Replace(string(text))), &file), path)
			for _, k := range file.Pipeline.Outputs {
				check(path, k)
				inYAML[strings.TrimSuffix(path, ".yaml")] = k
			}
		case ".conf":
			if _, section, ok := strings.Cut(expand.Replace(string(text)), "[OUTPUT]\n"); ok {
				k := keys{}
				for line := range strings.Lines(section) {
					name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
					k[name] = strings.TrimSpace(value)
				}
				check(path, k)
				classic[strings.TrimSuffix(path, ".conf")] = k
			}
		}
	}
	assert.Equal(t, 4, outputs)
	assert.Equal(t, inYAML, classic, "both forms say the same")
}

// hostKeys are those of an output that Fluent Bit keeps for itself, as far as the examples have them.
var hostKeys = []string{"name", "match", "workers", "retry_limit", "storage.total_limit_size"}

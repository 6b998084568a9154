package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFill: what is made stands in the page, and what is broken is said.
func TestFill(t *testing.T) {
	page, err := os.ReadFile("../../docs/fluent-bit.md")
	require.NoError(t, err)
	examples := func(name string) ([]byte, error) { return os.ReadFile("../../examples/fluent-bit/" + name) }
	for _, what := range []string{"keys", "tail-to-s3.yaml", "tail-to-s3.conf", "syslog-to-siem.yaml", "syslog-to-siem.conf", "plugins.conf", "parsers.conf"} {
		assert.Contains(t, string(page), madeBegin+what+" -->\n")
	}
	for _, broken := range []string{"<!-- made: keys", "<!-- made: keys -->\n", "<!-- made: none.yaml -->\n<!-- end -->\n"} {
		_, err = fill([]byte(broken), examples)
		assert.Error(t, err, broken)
	}
}

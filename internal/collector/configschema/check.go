package configschema

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// file is in the folder of the component, under the name that mdatagen gives to the schemas it makes itself.
const file = "config.schema.json"

var update = flag.Bool("update-schema", false, "rewrite "+file)

// Check compares config.schema.json of the component under test with its Config. `make generate` rewrites the file. minimums may
// be left out.
func Check(t *testing.T, id string, config any, enums Enums, minimums ...Minimums) {
	t.Helper()
	want, err := Schema(id, config, enums, minimums...)
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(file, want, 0o644))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "%s is behind the Config: run make generate", file)
}

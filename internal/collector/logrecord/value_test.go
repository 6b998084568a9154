package logrecord

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

func TestSetMapBody(t *testing.T) {
	lr := plog.NewLogRecord()
	lr.Body().SetStr(`{"s":"a\"b","i":9007199254740993,"f":1.5,"big":1e999,"huge":18446744073709551616,"b":true,"n":null,"o":{"x":[1,{"y":"z"}]},"k\u0065y":1,"s":"last"}`)
	require.NoError(t, SetMapBody(lr))
	assert.Equal(t, map[string]any{
		"s": "last", "i": int64(9007199254740993), "f": 1.5, "big": "1e999", "huge": 18446744073709551616.0, "b": true, "n": nil,
		"o": map[string]any{"x": []any{int64(1), map[string]any{"y": "z"}}}, "key": int64(1),
	}, lr.Body().Map().AsRaw())

	lr.Body().SetStr(`[1]`)
	assert.Error(t, SetMapBody(lr))
}

package logrecord

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
)

func TestWriteItem(t *testing.T) {
	received := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const header = "version account-id srcaddr dstaddr start end log-status"
	for name, test := range map[string]struct {
		item            payload.Item
		format, address string
		want            map[string]any
		err             string
	}{
		"line under a header": {payload.Item{Raw: "3 1 a b 1 2 OK", Fields: header, Offset: 56}, "aws.vpc_flow", "s3://b/k",
			map[string]any{record.AttrFormat: "aws.vpc_flow", record.AttrFields: header, record.AttrOrigin: "s3://b/k#56"}, ""},
		"object behind a header": {payload.Item{Raw: `{"a":1}`, Fields: header}, "", "", map[string]any{}, ""},
		"scan":                   {payload.Item{Raw: `{"a":1}`, ScanID: "s", ScanStatus: "done"}, "panoptica", "", map[string]any{record.AttrFormat: "panoptica", record.AttrScanID: "s", record.AttrScanStatus: "done"}, ""},
		"torn":                   {payload.Item{Raw: `{"a":`, Err: errors.New("too long")}, "", "", nil, "too long"},
		"words":                  {payload.Item{Raw: "words"}, "", "", nil, "neither"},
		"words of a format":      {payload.Item{Raw: "words"}, "aws.alb", "s3://b/k", nil, "aws.alb"},
	} {
		t.Run(name, func(t *testing.T) {
			lr := plog.NewLogRecord()
			err := WriteItem(&test.item, test.format, test.address, received, new(format.Scans), lr)
			assert.Equal(t, received, lr.ObservedTimestamp().AsTime())
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				var rec record.Record
				require.NoError(t, Read(lr, &rec))
				assert.Equal(t, record.Invalid, rec.EventType)
				assert.Contains(t, rec.Body, `"raw":`)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.item.Raw, lr.Body().Str())
			assert.Equal(t, test.want, lr.Attributes().AsRaw())
		})
	}
}

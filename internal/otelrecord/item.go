package otelrecord

import (
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/payload"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/source"
)

// WriteItem puts a record that was cut out of a payload into an empty log record, for the siem processor to parse: its text
// as the body, and as attributes the format ("" when not known), what its payload says of it, and its origin when the
// payload has an address ("" when it has none). What no parser can take is written as the invalid record that it becomes,
// and why is returned. The scan that found out is added to scans.
func WriteItem(item *payload.Item, format, address string, received time.Time, scans *source.Scans, lr plog.LogRecord) error {
	err := item.Err
	if err == nil {
		err = scans.Check(item.Raw, format, item.Fields)
	}
	if err != nil {
		if format == "" {
			format = source.Auto
		}
		rec := source.NewInvalid(item.Raw, format, err.Error(), received)
		Write(&rec, lr)
	} else {
		lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(received))
		lr.Body().SetStr(item.Raw)
		if format != "" {
			lr.Attributes().PutStr(record.AttrFormat, format)
		}
	}
	if address != "" {
		lr.Attributes().PutStr(record.AttrOrigin, Origin(address, item.Offset))
	}
	fields := item.Fields
	if strings.HasPrefix(item.Raw, "{") { // of use to lines only
		fields = ""
	}
	for _, a := range [...]struct{ name, value string }{
		{record.AttrFields, fields}, {record.AttrScanID, item.ScanID}, {record.AttrScanStatus, item.ScanStatus},
	} {
		if a.value != "" {
			lr.Attributes().PutStr(a.name, a.value)
		}
	}
	return err
}

// WriteScanEnd puts the end of a scan envelope into an empty log record: an event for a finding_state processor, which the siem
// processor drops unless it is told to let it pass.
func WriteScanEnd(item *payload.Item, received time.Time, lr plog.LogRecord) {
	lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(received))
	lr.Body().SetStr(source.ScanEvent(item.ScanID, item.ScanStatus))
	lr.Attributes().PutStr(record.AttrEventType, record.Scan)
	lr.Attributes().PutStr(record.AttrScanID, item.ScanID)
	if item.ScanStatus != "" {
		lr.Attributes().PutStr(record.AttrScanStatus, item.ScanStatus)
	}
}

// Origin is where a record stands, for siem.origin: the address of its object (s3://bucket/key) and the offset of its text
// in it, in bytes after decompression.
func Origin(address string, offset int64) string {
	return address + "#" + strconv.FormatInt(offset, 10)
}

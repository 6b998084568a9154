package logrecord

import (
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/process"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/record"
)

// WriteItem puts a record that was cut out of a payload into an empty log record, for the siem processor to parse. The body is the
// record's text. Attributes are the format, unless it is "", what the payload says of the record, and its origin, unless address is
// "". A record that no parser can take is written as an invalid record, and the error says why. The scan of the text is added to
// scans, so that the parser need not scan it again.
func WriteItem(item *payload.Item, name, address string, received time.Time, scans *format.Scans, lr plog.LogRecord) error {
	err := item.Err
	if err == nil {
		err = scans.Check(item.Raw, name, item.Fields)
	}
	if err != nil {
		if name == "" {
			name = format.Auto
		}
		rec := format.NewInvalid(item.Raw, name, err.Error(), received)
		Write(&rec, lr)
	} else {
		lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(received))
		lr.Body().SetStr(item.Raw)
		if name != "" {
			lr.Attributes().PutStr(record.AttrFormat, name)
		}
	}
	if address != "" {
		lr.Attributes().PutStr(record.AttrOrigin, process.Origin(address, item.Offset))
	}
	fields := item.Fields
	if strings.HasPrefix(item.Raw, "{") { // of use to lines only
		fields = ""
	}
	putText(lr, record.AttrFields, fields)
	WriteScan(item.ScanID, item.ScanStatus, lr)
	return err
}

// WriteScan puts what a scan envelope has said before a record into that record: the id of the scan and its status, each "" if
// unknown.
func WriteScan(id, status string, lr plog.LogRecord) {
	putText(lr, record.AttrScanID, id)
	putText(lr, record.AttrScanStatus, status)
}

func putText(lr plog.LogRecord, name, value string) {
	if value != "" {
		lr.Attributes().PutStr(name, value)
	}
}

// WriteScanEnd puts the end of a scan envelope into an empty log record: an event for a finding_state processor. The siem processor
// drops it unless it is configured to let it pass.
func WriteScanEnd(id, status string, received time.Time, lr plog.LogRecord) {
	lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(received))
	lr.Body().SetStr(format.ScanEvent(id, status))
	lr.Attributes().PutStr(record.AttrEventType, record.Scan)
	WriteScan(id, status, lr)
}

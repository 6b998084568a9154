package findingstateprocessor

import (
	"errors"

	"github.com/klauspost/compress/s2"
	"go.opentelemetry.io/collector/pdata/plog"
)

// packed is the first byte of a batch that waits compressed; one that is not begins with the tag of a field of OTLP, 0x0a.
const packed = 1

var errPacked = errors.New("neither OTLP nor compressed OTLP")

// pack encodes a batch that waits. Findings of one scan are much alike: S2 makes them several times smaller, and costs less
// than writing what it saves.
func pack(logs plog.Logs) ([]byte, error) {
	data, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 1+s2.MaxEncodedLen(len(data)))
	out[0] = packed
	return out[:1+len(s2.Encode(out[1:], data))], nil
}

// unpack decodes what pack encoded, or a batch that waits as versions before wrote it.
func unpack(data []byte) (plog.Logs, error) {
	if len(data) > 0 && data[0] == packed {
		var err error
		if data, err = s2.Decode(nil, data[1:]); err != nil {
			return plog.Logs{}, errors.Join(errPacked, err)
		}
	}
	return (&plog.ProtoUnmarshaler{}).UnmarshalLogs(data)
}

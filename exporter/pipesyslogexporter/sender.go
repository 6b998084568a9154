package pipesyslogexporter

import (
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/collector/logrecord"
	"github.com/siempipe/siempipe/internal/deliver/syslog"
	"github.com/siempipe/siempipe/internal/encode/encodings"
	"github.com/siempipe/siempipe/internal/record"
)

// newSender makes one connection to be. One push has it at a time.
func newSender(c *Config, header *syslog.Header, writer syslog.WriterConfig) (*syslog.Sender, error) {
	encoding, err := encodings.Find(encodings.Default)
	if err != nil {
		return nil, err
	}
	return syslog.NewSender(syslog.SenderConfig{
		Header: header, Writer: writer, NewEncoder: encoding.New, Encoder: c.encoder(), MaxLength: c.MaxMessageLength, IncludeInvalid: c.IncludeInvalid,
	})
}

// batch is the records of a push in their order.
type batch []plog.LogRecord

func (b batch) Len() int { return len(b) }

func (b batch) Read(i int, rec *record.Record) error { return logrecord.Read(b[i], rec) }

package pipesyslogexporter

import (
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

// records are those of a part.
type records []record.Record

func (r records) Len() int { return len(r) }

func (r records) Read(i int, rec *record.Record) error {
	*rec = r[i]
	return nil
}

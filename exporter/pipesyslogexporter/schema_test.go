package pipesyslogexporter

import (
	"testing"

	"github.com/siempipe/siempipe/internal/collector/configschema"
	"github.com/siempipe/siempipe/internal/deliver/syslog"
	"github.com/siempipe/siempipe/internal/encode"
	"github.com/siempipe/siempipe/internal/encode/pipe"
)

func TestConfigSchema(t *testing.T) {
	configschema.Check(t, "exporter/pipe_syslog", createDefaultConfig(), configschema.Enums{
		"network":  {syslog.TCP, syslog.UDP, syslog.Unix},
		"header":   {syslog.RFC5424, syslog.RFC3164, syslog.None},
		"framing":  {syslog.OctetCounting, syslog.Newline},
		"overflow": {encode.OverflowShorten, encode.OverflowSplit, encode.OverflowDrop},
		"escape":   {pipe.EscapeBackslash, pipe.EscapeReplace, pipe.EscapeNone},
	})
}

package pipesyslogexporter

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/record"
)

// TestLengthAtEverySetting: no message is longer than max_message_length, header included, or ends inside a character or an
// escape, whatever the setting; and every record arrives, with its verdict.
func TestLengthAtEverySetting(t *testing.T) {
	long := map[string]string{
		"ascii":    strings.Repeat("free text ", 300),
		"runes":    strings.Repeat("日本語😀", 200),
		"pipes":    strings.Repeat("|", 1500),
		"controls": strings.Repeat("\u202e\r\n", 500),
		"slashes":  strings.Repeat(`\`, 1501),
		"short":    "s",
	}
	var records []record.Record
	for name, subject := range long {
		records = append(records, scan("id-"+name, subject))
	}
	forged := scan("id-"+strings.Repeat("forged", 100), "x")
	records = append(records, forged)
	for _, header := range []string{"rfc5424", "rfc3164", "none"} {
		for _, escape := range []string{"backslash", "replace", "none"} {
			for _, overflow := range []string{"shorten", "split"} {
				p := (&peer{listener: listen(t, "127.0.0.1:0")}).start(t)
				for _, limit := range []int{256, 300, 511, 1024, 3000} {
					c := plain(p.listener.Addr().String())
					c.Header, c.Escape, c.Overflow, c.MaxMessageLength = header, escape, overflow, limit
					name := fmt.Sprintf("%s, %s, %s, %d", header, escape, overflow, limit)
					before := len(p.all(t))
					e := start(t, c)
					require.NoError(t, e.ConsumeLogs(t.Context(), logs(records...)))
					require.NoError(t, e.Shutdown(t.Context()))
					got := p.all(t)[before:]
					seen := map[string]bool{}
					for _, m := range got {
						require.LessOrEqual(t, len(m), limit, name)
						require.True(t, utf8.ValidString(m), name)
						_, value, _ := strings.Cut(m, "|Scan ID:")
						id, _, _ := strings.Cut(value, "|")
						if strings.Contains(m, "|Verdict:MAL") {
							seen[id] = true
						}
						if escape == "backslash" {
							require.Zero(t, (len(m)-len(strings.TrimRight(m, `\`)))%2, "%s: half an escape at the end of %q", name, m)
						}
					}
					require.Len(t, seen, len(records), name)
				}
			}
		}
	}
}

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/harness"
	"github.com/siempipe/siempipe/internal/test/peers"
)

// scanLine is a scan in the order of its message.
type scanLine [][2]string

// body is the scan as a record that says exactly what the values are.
func (s scanLine) body() string {
	members := make([]string, len(s))
	for i, pair := range s {
		key, _ := json.Marshal(pair[0])
		value, _ := json.Marshal(pair[1])
		members[i] = string(key) + ":" + string(value)
	}
	return "{" + strings.Join(members, ",") + "}"
}

func mailScan(id, subject, from string) scanLine {
	return scanLine{
		{"datetime", "1612422455.63"}, {"Scan ID", id}, {"Event", "Email Scanned"}, {"IP Address", "192.0.2.7"}, {"Subject", subject},
		{"Message ID", "<m1@mail.example>"}, {"To", "harold@acme.example"}, {"From", from}, {"Layers", "spf,av"}, {"Verdict", "MAL"},
		{"Action", "Quarantined"}, {"Sample", "s1"},
	}
}

// hostileScans are what a SIEM has to take without being fooled.
func hostileScans() map[string]scanLine {
	scans := map[string]scanLine{}
	for i, subject := range []string{
		"Just Landed | New season femininity",
		"x|Verdict:CLN|Action:Delivered",
		"invoice\r\n<14>1 2026-01-01T00:00:00Z h a - - - Scan ID:forged|Verdict:CLN",
		"invoice\n<14>Jan  1 00:00:00 h a: Scan ID:forged|Verdict:CLN\n",
		"10 <14>1 - - \x00 NUL, \u0085 NEL, \u2028 LS, \ufeff BOM, \u202e RLO",
		`back\slash \| and \n, not escapes`,
		"größe 日本語 العربية 😀 e\u0301",
		strings.Repeat("long ", 400),
		strings.Repeat("日本語|", 300),
		strings.Repeat("\n", 900),
		"",
	} {
		id := fmt.Sprintf("000176_1_mail-%d", i)
		scans[id] = mailScan(id, subject, "Mallory | Verdict:CLN <m@evil.example>")
	}
	scans["000176_1_file"] = scanLine{{"datetime", "1612422455"}, {"Scan ID", "000176_1_file"}, {"Event", "File Scanned"}, {"Name", "a\r\n<14>b|Verdict:CLN.exe"}, {"Verdict", "SUS"}, {"Sample", "s"}}
	scans["000176_1_url"] = scanLine{{"datetime", "1612422455"}, {"Scan ID", "000176_1_url"}, {"Event", "URL Scanned"}, {"URL", "https://x.example/?a=1|2&b=Verdict:CLN|Verdict:CLN"}, {"Verdict", "BLK"}, {"Sample", "s"}}
	return scans
}

// syslogExporter is the configuration of an exporter to a listener of rsyslog.
func syslogExporter(server *peers.Rsyslog, listener, more string) string {
	config := fmt.Sprintf("    endpoint: %s\n    hostname: collector-1\n%s", server.Endpoint(listener), more)
	switch listener {
	case peers.SyslogUDP:
		config += "    network: udp\n"
	case peers.SyslogNewline:
		config += "    framing: newline\n    tls: {insecure: true}\n"
	case peers.SyslogOctet:
		config += "    tls: {insecure: true}\n"
	case peers.SyslogTLS:
		config += fmt.Sprintf("    tls: {ca_file: %s, reload_interval: 10ms}\n", server.Authority.File)
	case peers.SyslogMutual:
		config += fmt.Sprintf("    tls: {ca_file: %s, cert_file: %s, key_file: %s, reload_interval: 10ms}\n",
			server.Authority.File, server.Authority.Client.CertFile, server.Authority.Client.KeyFile)
	}
	return config
}

// TestRsyslog sends hostile scans to a real server, over everything it listens on at once.
func TestRsyslog(t *testing.T) {
	server := peers.StartRsyslog(t)
	witness, err := harness.Listen("127.0.0.1:0", nil)
	require.NoError(t, err)
	defer witness.Close()

	listeners := []string{peers.SyslogUDP, peers.SyslogNewline, peers.SyslogOctet, peers.SyslogTLS, peers.SyslogMutual}
	names := []string{"pipe_syslog/witness"}
	exporters := fmt.Sprintf("  pipe_syslog/witness:\n    endpoint: %s\n    hostname: collector-1\n    tls: {insecure: true}\n", witness.Addr())
	for _, listener := range listeners {
		names = append(names, "pipe_syslog/"+listener)
		exporters += "  pipe_syslog/" + listener + ":\n" + syslogExporter(server, listener, "")
	}
	// RFC 3164 has another header and the same message.
	names = append(names, "pipe_syslog/old")
	exporters += "  pipe_syslog/old:\n" + syslogExporter(server, peers.SyslogNewline, "    header: rfc3164\n    app_name: old\n")
	r := start(t, names, exporters)

	scans := hostileScans()
	var bodies []string
	for _, scan := range scans {
		bodies = append(bodies, scan.body())
	}
	for i := range 200 { // enough for several datagrams and reads
		id := fmt.Sprintf("000176_1_load-%d", i)
		scans[id] = mailScan(id, "plain", "f@acme.example")
		bodies = append(bodies, scans[id].body())
	}
	r.post(t, "perception_point_syslog", strings.Join(bodies, "\n"))

	var sent []string
	waitFor(t, func() bool {
		var errs []error
		sent, errs = witness.Messages()
		require.Empty(t, errs)
		return len(sent) >= len(scans)
	}, func() string { return fmt.Sprintf("%d messages, want %d", len(sent), len(scans)) })
	slices.Sort(sent)
	checkScans(t, scans, sent)

	for _, listener := range listeners {
		t.Run(listener, func(t *testing.T) {
			var got, old []string
			waitFor(t, func() bool {
				got, old = nil, nil
				for _, m := range server.Messages(t, listener) {
					if strings.Contains(m, " old: ") {
						old = append(old, m)
					} else {
						got = append(got, m)
					}
				}
				return len(got) >= len(sent) && (listener != peers.SyslogNewline || len(old) >= len(sent))
			}, func() string { return fmt.Sprintf("%d and %d messages, want %d", len(got), len(old), len(sent)) })
			slices.Sort(got)
			assert.Equal(t, sent, got, "arrive as sent, each once")
			for _, m := range old {
				require.LessOrEqual(t, len(m), maxMessage)
				require.Regexp(t, `^<13[0-9]>[A-Z][a-z]{2} [ 1-3][0-9] \d\d:\d\d:\d\d collector-1 old: datetime:`, m)
			}
		})
	}
}

// checkScans holds messages to the scans that they are of.
func checkScans(t *testing.T, scans map[string]scanLine, messages []string) {
	t.Helper()
	require.Len(t, messages, len(scans))
	seen, full := map[string]bool{}, 0
	for _, m := range messages {
		require.LessOrEqual(t, len(m), maxMessage)
		if len(m) == maxMessage {
			full++
		}
		parsed, err := rfc5424.NewParser().Parse([]byte(m))
		require.NoError(t, err, m)
		pairs := readPairs(t, *parsed.(*rfc5424.SyslogMessage).Message)
		id := pairs[1][1]
		scan := scans[id]
		require.NotNil(t, scan, "%s: a scan that was never sent", m)
		require.False(t, seen[id], "%s: twice", m)
		seen[id] = true
		require.Len(t, pairs, len(scan), m)
		for i, want := range scan {
			require.Equal(t, want[0], pairs[i][0], m)
			begin, shortened := strings.CutSuffix(pairs[i][1], "…")
			switch want[0] {
			case "Subject", "From", "Name", "URL":
				if shortened && len(want[1]) > 100 {
					require.True(t, strings.HasPrefix(want[1], begin), "%q of %q", begin, want[1])
					continue
				}
			}
			require.Equal(t, want[1], pairs[i][1], "%s of %s", want[0], m)
		}
	}
	require.Positive(t, full, "no message is as long as may be")
}

// readPairs reads a message as docs/pipe-messages.md says: split at pipes without a backslash, at the first colon, undo
// escapes.
func readPairs(t *testing.T, message string) (pairs [][2]string) {
	t.Helper()
	key, value, inKey := "", "", true
	runes := []rune(message)
	for i := 0; i < len(runes); i++ {
		switch c := runes[i]; {
		case c == '|':
			pairs = append(pairs, [2]string{key, value})
			key, value, inKey = "", "", true
		case inKey && c == ':':
			inKey = false
		case inKey:
			key += string(c)
		case c == '\\':
			i++
			digits := map[rune]int{'x': 2, 'u': 4}[runes[i]]
			if digits > 0 {
				n, err := strconv.ParseUint(string(runes[i+1:i+1+digits]), 16, 32)
				require.NoError(t, err, message)
				value += string(rune(n))
				i += digits
				continue
			}
			plain := map[rune]string{'r': "\r", 'n': "\n", 't': "\t", '\\': "\\", '|': "|"}[runes[i]]
			require.NotEmpty(t, plain, "%q is no escape", runes[i])
			value += plain
		default:
			value += string(c)
		}
	}
	return append(pairs, [2]string{key, value})
}

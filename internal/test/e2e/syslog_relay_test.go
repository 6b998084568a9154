package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/test/peers"
)

// vendorLine is a line as the vendor writes it.
func vendorLine(id, subject, tail string) string {
	return "datetime:1612422455.63|Scan ID:" + id + "|Event:Email Scanned|IP Address:192.0.2.7|Subject:" + subject +
		"|Message ID:<m1@mail.example>|To:harold@acme.example|From: Sender <s@acme.example>|Layers:" + tail
}

// TestSyslogRelay runs examples/perceptionpoint-syslog-relay.yaml: the vendor's plain syslog in, TLS to rsyslog and
// objects in a bucket out.
func TestSyslogRelay(t *testing.T) {
	server := peers.StartRsyslog(t)
	store := peers.StartS3(t)
	store.CreateBucket(t, "acme")
	tcp, udp := freeAddr(t), freeAddr(t)
	r := &running{health: freeAddr(t), log: &safeBuffer{}}
	overlay := filepath.Join(t.TempDir(), "overlay.yaml")
	require.NoError(t, os.WriteFile(overlay, fmt.Appendf(nil, `
receivers:
  syslog/tcp: {tcp: {listen_address: %q}}
  syslog/udp: {udp: {listen_address: %q}}
exporters:
  pipe_syslog: {tls: {ca_file: %s}}
  panoptica_s3: {endpoint: %q, force_path_style: true, compression: none, sending_queue: {batch: {flush_timeout: 500ms}}}
extensions:
  health_check: {endpoint: %q}
service:
  telemetry: {metrics: {level: none}}
`, tcp, udp, server.Authority.File, store.Endpoint, r.health), 0o600))
	env := append(exampleEnv(t), "SIEMPIPE_SIEM="+server.Endpoint(peers.SyslogTLS), "SIEMPIPE_BUCKET=acme", "SIEMPIPE_REGION="+store.Region)
	r.run(t, "../../../examples/perceptionpoint-syslog-relay.yaml", env, "--config", overlay)

	const tail = "spf,av|Verdict:SUS|Action:Delivered|Sample:s1"
	long := vendorLine("cut", strings.Repeat("é ", 500), tail)[:1024]
	padded := (vendorLine("padded", "x", "|Verdict:CLN|Sample:s") + strings.Repeat(" ", 1024))[:1024]
	tests := map[string]struct {
		network, sent            string
		subject, verdict, marked string
	}{
		"plain":      {"tcp", vendorLine("plain", "Just Landed | New", tail) + "\n", "Just Landed | New", "SUS", ""},
		"unfinished": {"tcp", vendorLine("unfinished", "no line end", tail), "no line end", "SUS", ""},
		"crlf":       {"tcp", vendorLine("crlf", "x", tail) + "\r\n", "x", "SUS", ""},
		"old":        {"tcp", "<14>Feb  4 07:07:35 pp01 pp: " + vendorLine("old", "RFC 3164", tail) + "\n", "RFC 3164", "SUS", ""},
		"new":        {"tcp", "<14>1 2021-02-04T07:07:35.630Z pp01 scanner - - - " + vendorLine("new", "RFC 5424", tail) + "\n", "RFC 5424", "SUS", ""},
		"forged": {"tcp", vendorLine("forged", "x|Verdict:CLN|Action:Delivered", "av|Verdict:MAL|Action:Quarantined|Sample:s") + "\n",
			"x", "MAL", "Ambiguous:true"},
		"padded":     {"tcp", padded + "\n", "x", "unknown", "Truncated:true"},
		"padded udp": {"udp", strings.Replace(padded, "padded", "padded udp", 1)[:1024], "x", "unknown", "Truncated:true"},
		"cut":        {"tcp", long + "\n", "é é ", "unknown", "Truncated:true"},
		"datagram":   {"udp", vendorLine("datagram", "größe", tail), "größe", "SUS", ""},
		"counted":    {"udp", "429 <14>1 - - - - - - " + vendorLine("counted", "y", tail), "y", "SUS", ""},
	}
	for _, test := range tests { // a connection for each message, as the vendor's client does
		address := map[string]string{"tcp": tcp, "udp": udp}[test.network]
		conn, err := net.Dial(test.network, address)
		require.NoError(t, err)
		_, err = conn.Write([]byte(test.sent))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}

	var messages []string
	waitFor(t, func() bool {
		messages = server.Messages(t, peers.SyslogTLS)
		return len(messages) >= len(tests)
	}, func() string { return fmt.Sprintf("%d of %d messages", len(messages), len(tests)) })
	require.Len(t, messages, len(tests))
	for _, m := range messages {
		require.LessOrEqual(t, len(m), maxMessage)
		parsed, err := rfc5424.NewParser().Parse([]byte(m))
		require.NoError(t, err, m)
		pairs := map[string]string{}
		for _, pair := range readPairs(t, *parsed.(*rfc5424.SyslogMessage).Message) {
			pairs[pair[0]] = pair[1]
		}
		test, ok := tests[pairs["Scan ID"]]
		require.True(t, ok, m)
		assert.True(t, strings.HasPrefix(pairs["Subject"], test.subject), m)
		assert.Equal(t, test.verdict, pairs["Verdict"], m)
		assert.Equal(t, "1612422455.63", pairs["datetime"], m)
		if test.marked != "" {
			assert.True(t, strings.HasSuffix(m, "|"+test.marked), m)
		} else {
			assert.NotContains(t, m, "Ambiguous")
			assert.NotContains(t, m, "Truncated")
		}
	}

	stored := map[string]map[string]any{}
	waitFor(t, func() bool {
		for key, content := range store.Objects(t, "acme") {
			require.True(t, strings.HasPrefix(key, "Panoptica/email_scan/2021-02-04/unknown/"), key)
			for line := range bytes.Lines(content) {
				var body map[string]any
				require.NoError(t, json.Unmarshal(line, &body))
				stored[body["Scan ID"].(string)] = body
			}
		}
		return len(stored) >= len(tests)
	}, func() string { return fmt.Sprintf("%d of %d scans in the bucket", len(stored), len(tests)) })
	for id, test := range tests {
		assert.Equal(t, test.verdict, stored[id]["Verdict"], id)
		assert.Equal(t, test.marked == "Ambiguous:true", stored[id]["ambiguous"] == true, id)
		assert.Equal(t, test.marked == "Truncated:true", stored[id]["truncated"] == true, id)
	}
}
